import NIOCore
import Testing

@testable import TunnelProtocol

/// Slow messages that are kept outside, so that they hold up nobody.
@Suite struct MessageSpillTests {
    private func limits() -> SessionLimits {
        var limits = SessionLimits()
        (limits.minimumWindow, limits.v1.maximumStoredBytes) = (1000, 4000)
        limits.v1.maximumSpilledBytes = 10_000
        limits.v1.maximumMessageBytes = 12_000
        return limits
    }

    // MARK: What comes

    /// A server with so many requests under way; the answer to the first has come in part, and is not taken.
    private func blocked(requests: Int) throws -> MessageProbe {
        let probe = try MessageProbe(.opener, limits: limits(), budget: 0)
        for _ in 0..<requests { #expect(probe.open() != nil) }
        _ = probe.written()
        try probe.receive("0001HTTP/1.1 200 OK|Content-Length: 999999||", isLast: false)
        _ = try probe.receive(bytes(1000))
        #expect(probe.isBlocked)
        return probe
    }

    @Test(arguments: [1, 2]) func aReaderThatDoesNotKeepUpGoesOutsideSoon(requests: Int) throws {
        let probe = try blocked(requests: requests)
        #expect(probe.urgency == .milliseconds(250))
        probe.advance(.milliseconds(250))
        probe.tick()
        #expect(try probe.events() == ["1 overflowed received"])
        #expect(!probe.isBlocked)
        #expect(probe.machine.unread(StreamID(1)) == 1000)
        // What lies outside is taken, though the reader has nothing of it.
        for _ in 0..<20 {
            _ = try probe.receive(bytes(100_000))
            probe.consumed(StreamID(1), 100_000)
            #expect(!probe.isBlocked)
        }
        #expect(probe.urgency == nil)
        #expect(probe.budget.taken == 0)
    }

    /// Sixteen slow downloads at once would hold up a small answer for four seconds.
    @Test func slowReadersOneAfterAnotherHoldUpTheOthersNoLongerThanOne() throws {
        let probe = try blocked(requests: 6)
        probe.advance(.milliseconds(250))
        probe.tick()
        #expect(try probe.events() == ["1 overflowed received"])
        for number in 2...4 {
            probe.reset(StreamID(UInt32(number - 1)))
            _ = try probe.endMessage()
            try probe.receive("000\(number)HTTP/1.1 200 OK|Content-Length: 999999||", isLast: false)
            _ = try probe.receive(bytes(1000))
            #expect(probe.isBlocked && probe.urgency == .zero)
            probe.tick()
            #expect(try probe.events() == ["\(number) overflowed received"])
        }
        // One that is fast earns the time again.
        _ = try probe.endMessage()
        try probe.receive("0005HTTP/1.1 200 OK|Content-Length: 99999999||", isLast: false)
        for _ in 0..<10 {
            _ = try probe.receive(bytes(999))
            probe.consumed(StreamID(5), 1 << 20)
        }
        _ = try probe.receive(bytes(1000))
        #expect(probe.isBlocked && probe.urgency == .milliseconds(250))
    }

    @Test func whatIsOnItsWayOutsideIsBounded() throws {
        let probe = try blocked(requests: 2)
        probe.advance(.milliseconds(250))
        probe.tick()
        _ = try probe.events()
        var count = 0
        while !probe.isBlocked, count < 10 << 20 {
            _ = try probe.receive(bytes(1000))
            count += 1000
        }
        #expect((256 << 10..<300 << 10).contains(count))
        // Nothing more can be kept: it is as without files.
        #expect(probe.urgency == .milliseconds(2750))
        probe.advance(.milliseconds(2750))
        probe.tick()
        #expect(try probe.events() == ["1 reset tooSlow"])
    }

    @Test func aReaderThatIsAsFastAsADiskStaysInMemory() throws {
        let probe = try blocked(requests: 2)
        for _ in 0..<50 {
            probe.advance(.milliseconds(100))
            probe.tick()
            probe.consumed(StreamID(1), 4 << 20)
            #expect(try probe.events() == [])
            _ = try probe.receive(bytes(4 << 20))
        }
    }

    @Test func aReaderThatIsInTheWayIsAskedHowFarItIs() throws {
        let probe = try blocked(requests: 1)
        var limits = limits()
        limits.v1.maximumSpilledBytes = 0
        let plain = try MessageProbe(.opener, limits: limits, budget: 0)
        #expect(plain.open() != nil)
        _ = plain.written()
        try plain.receive("0001HTTP/1.1 200 OK|Content-Length: 999999||", isLast: false)
        _ = try plain.receive(bytes(1000))
        for _ in 0..<40 {
            plain.advance(.milliseconds(500))
            #expect(plain.machine.urgentTick ?? plain.now <= plain.now)
            plain.tick()
            #expect(try plain.rawEvents() == [.progressWanted(StreamID(1))])
            // It goes on however little it has taken.
            plain.consumed(StreamID(1), 1)
            _ = try plain.receive(bytes(1))
        }
        #expect(probe.isBlocked)
    }

    // MARK: What is sent

    private func slowUpload(_ head: String = "POST / HTTP/1.1|Host: a||") throws -> MessageProbe {
        let probe = try MessageProbe(.opener, limits: limits(), budget: 0)
        let id = try #require(probe.open(head, isLast: false))
        #expect(!probe.send(id, bytes: bytes(2000)))
        #expect(try probe.events() == ["1 overflowed sent"])
        return probe
    }

    @Test func aMessageThatIsNotWholeWaitsOutsideAndTheOthersGo() throws {
        let probe = try slowUpload()
        #expect(!probe.hasSomethingToWrite && probe.untouched == [StreamID(1)])
        #expect(probe.open() != nil)
        #expect(probe.written() == ["<0002GET / HTTP/1.1|Host: a||>"])
        probe.keptElsewhere(StreamID(1), 5000)
        probe.advance(.seconds(1000))
        probe.machine.heard(now: probe.now)
        probe.tick()
        #expect(try probe.events() == [] && !probe.hasSomethingToWrite)
        probe.release(StreamID(1))
        #expect(probe.written(budget: 10_000).map { $0.prefix(12) } == ["<0001POST / "])
        #expect(try probe.events() == ["1 writable"])
        #expect(probe.send(StreamID(1), bytes: bytes(5000)))
        probe.finish(StreamID(1))
        #expect(probe.written(budget: 10_000).last?.hasSuffix("|0||>") == true)
        #expect(try probe.events() == [])
    }

    @Test func aRequestThatGrowsTooLargeOutsideIsRefusedBeforeAnyOfItWent() throws {
        let probe = try slowUpload()
        probe.keptElsewhere(StreamID(1), 5000)
        #expect(try probe.events() == [])
        probe.keptElsewhere(StreamID(1), 5000)
        #expect(try probe.events() == ["1 reset requestTooLarge"])
        #expect(probe.written() == [] && probe.streamCount == 0 && probe.numbersInUse == 0)
    }

    @Test func aCallerThatLeavesWhileItsRequestWaitsOutsideSentNothing() throws {
        let probe = try slowUpload()
        probe.keptElsewhere(StreamID(1), 5000)
        probe.reset(StreamID(1))
        #expect(probe.written() == [] && probe.numbersInUse == 0 && probe.budget.taken == 0)
    }

    @Test func anAnswerThatWillNotFitIsNotKeptOutside() throws {
        let probe = try MessageProbe(.acceptor, limits: limits(), budget: 0)
        for number in 1...2 { try probe.receive("000\(number)GET / HTTP/1.1|Host: a||") }
        probe.respond(StreamID(1), "HTTP/1.1 200 OK|Content-Length: 10001||")
        #expect(!probe.send(StreamID(1), bytes: bytes(1000)))
        #expect(try probe.events() == [])
        #expect(probe.written().count == 1)
    }

    // MARK: Answers that break off

    @Test(arguments: ["", "Content-Length: 99|", "Content-Type: text/plain|"], [1, 2])
    func noAnswerBeginsBeforeItIsWhole(_ fields: String, requests: Int) throws {
        for isSlow in [false, true] {
            let probe = try MessageProbe(.acceptor)
            for number in 1...requests { try probe.receive("000\(number)GET / HTTP/1.1|Host: a||") }
            probe.respond(StreamID(1), "HTTP/1.1 200 OK|\(fields)|")
            probe.send(StreamID(1), "some")
            #expect(probe.written() == [])
            if isSlow {
                probe.advance(.seconds(9))
                probe.tick()
            }
            #expect(probe.written().filter { $0 != "ping" } == [])
            probe.reset(StreamID(1), .originFailed, reason: "it broke off")
            let answer = probe.written().filter { $0 != "ping" }
            #expect(answer.count == 1)
            #expect(answer.first?.hasPrefix("<0001HTTP/1.1 502 ") == true)
            #expect(answer.first?.hasSuffix("it broke off\n>") == true)
        }
    }

    @Test(arguments: [
        "Content-Type: text/event-stream|", "Content-Type: Text/Event-Stream; charset=utf-8|",
        "Content-Type: application/x-ndjson|", "Content-Type: multipart/x-mixed-replace;boundary=x|",
        "Content-Type: text/plain|X-Accel-Buffering: no|",
    ])
    func aLiveAnswerBeginsAtOnceAndIsCutShort(_ fields: String) throws {
        let probe = try MessageProbe(.acceptor)
        try probe.receive("0001GET / HTTP/1.1|Host: a||")
        probe.respond(StreamID(1), "HTTP/1.1 200 OK|\(fields)|")
        probe.send(StreamID(1), "some")
        #expect(probe.written().first?.hasSuffix("|4|some|") == true)
        probe.reset(StreamID(1), .originFailed)
        // Without a last chunk.
        #expect(probe.written() == [">"])
    }
}
