import NIOCore
import Testing

@testable import TunnelProtocol

/// Callers that leave, and what becomes of their request's number.
@Suite struct MessageLeavingTests {
    private let answer = "HTTP/1.1 200 OK|Content-Length: 2||hi"

    /// A probe whose messages begin as soon as there is a body.
    private func eager(_ role: SessionRole = .opener, numbers: [UInt16] = [1]) throws -> MessageProbe {
        var limits = SessionLimits()
        limits.minimumWindow = 10
        limits.v1.maximumSpilledBytes = 0
        return try MessageProbe(role, limits: limits, budget: 0, numbers: numbers)
    }

    @Test func aRequestThatWasNotSentYetNeverIs() throws {
        let probe = try MessageProbe(.opener, numbers: [1, 1])
        let first = try #require(probe.open())
        #expect(probe.untouched == [first])
        probe.reset(first)
        #expect(!probe.hasSomethingToWrite && probe.numbersInUse == 0)
        let second = try #require(probe.open("GET /2 HTTP/1.1|Host: a||"))
        #expect(probe.written() == ["<0001GET /2 HTTP/1.1|Host: a||>"])
        #expect(probe.untouched.isEmpty)
        #expect(try probe.receive("0001" + answer).last == "\(second) end")
        #expect(try probe.events() == [])
    }

    @Test func aRequestOnItsWayIsCutWithoutLookingWhole() throws {
        for head in ["Content-Length: 40", "X: no length"] {
            let probe = try eager(numbers: [1, 1, 2])
            let id = try #require(probe.open("POST / HTTP/1.1|Host: a|\(head)||", isLast: false))
            #expect(!probe.send(id, "01234567890123456789"))
            #expect(probe.written().map { $0.hasSuffix(">") } == [false])
            #expect(try probe.events() == ["\(id) writable"])
            probe.reset(id)
            #expect(probe.isOccupied)
            #expect(probe.written() == [">"])
            #expect(!probe.isOccupied && probe.streamCount == 0 && probe.budget.taken == 0)
            // What the other end makes of it is a broken request.
            #expect(probe.numbersInUse == 1, "an answer to it may still come")
            #expect(probe.open() != nil)
            #expect(probe.written().first?.hasPrefix("<0002") == true)
            #expect(try probe.receive("0001" + answer) == [])
            #expect(probe.numbersInUse == 1)
        }
    }

    @Test func aWholeRequestOnItsWayIsCut() throws {
        let probe = try MessageProbe(.opener)
        let id = try #require(probe.open("POST / HTTP/1.1|Host: a|Content-Length: 100||", isLast: false))
        probe.send(id, String(repeating: "x", count: 100))
        probe.finish(id)
        #expect(probe.frame(budget: 80)?.hasSuffix(">") == false)
        probe.reset(id)
        #expect(probe.written() == [">"])
    }

    @Test(arguments: [1, 5, .max]) func anAnswerThatComesTooLateIsDropped(_ size: Int) throws {
        let probe = try MessageProbe(.opener, numbers: [1, 1, 2])
        let first = try #require(probe.open())
        _ = probe.written()
        probe.reset(first)
        #expect(probe.open() != nil)
        #expect(probe.written().first?.hasPrefix("<0002") == true, "the number is not free yet")
        #expect(try probe.receive("0001" + answer, inPiecesOf: size) == [])
        #expect(probe.numbersInUse == 1)
        probe.reset(StreamID(2))
        #expect(try probe.receive("0002" + answer, inPiecesOf: size) == [])
        #expect(probe.numbersInUse == 0 && probe.streamCount == 0)
    }

    @Test func whoLeavesWithinTheAnswerHearsNoMoreOfIt() throws {
        let full = wire("0001" + answer).readableBytes
        for split in 4..<full {
            let probe = try MessageProbe(.opener)
            let id = try #require(probe.open())
            _ = probe.written()
            let parts = halves(wire("0001" + answer), at: split)
            _ = try probe.receive(parts[0])
            probe.reset(id)
            #expect(try probe.receive(parts[1]) == [], "left after \(split) bytes")
            #expect(try probe.endMessage() == [], "left after \(split) bytes")
            #expect(probe.numbersInUse == 0 && probe.streamCount == 0 && probe.budget.taken == 0)
        }
    }

    @Test func whoLeavesWhileItDoesNotReadHoldsUpNobody() throws {
        let probe = try eager()
        let id = try #require(probe.open())
        _ = probe.written()
        try probe.receive("0001HTTP/1.1 200 OK|Content-Length: 99||01234567890", isLast: false)
        #expect(probe.isBlocked && probe.isOccupied)
        probe.reset(id)
        #expect(!probe.isBlocked)
        #expect(try probe.receive("more") == [])
        #expect(!probe.isOccupied)
    }

    // MARK: The tunnel client's side

    private func take(_ probe: MessageProbe, _ number: String = "0001") throws -> StreamID {
        try probe.receive(number + "POST / HTTP/1.1|Host: a|Content-Length: 2||ab")
        return StreamID(probe.machine.lastStream)
    }

    @Test(arguments: [
        (ResetCode.originFailed, "502 Bad Gateway"), (.malformedMessage, "400 Bad Request"),
        (.internalError, "502 Bad Gateway"),
    ])
    func aFailureBeforeTheAnswerBecomesOne(_ code: ResetCode, _ status: String) throws {
        for hasBegun in [true, false] {
            let probe = try MessageProbe(.acceptor)
            let id = try take(probe)
            let other = try take(probe, "0002")
            if hasBegun {
                probe.respond(id, "HTTP/1.1 200 OK|Content-Length: 9||")
                probe.send(id, "123")
            }
            probe.reset(id, code, reason: "no route")
            _ = probe.tick()
            #expect(
                probe.written().filter { $0 != "ping" } == [
                    "<0001HTTP/1.1 \(status)|Content-Type: text/plain; charset=utf-8|Content-Length: 9"
                        + "|Cache-Control: no-store|X-Content-Type-Options: nosniff||no route\n>"
                ])
            #expect(probe.machine.streams[id] == nil && probe.machine.streams[other] != nil)
        }
    }

    @Test func aFailureWithinTheAnswerCutsIt() throws {
        let probe = try MessageProbe(.acceptor)
        let id = try take(probe)
        probe.respond(id, liveAnswer)
        probe.send(id, "12")
        #expect(probe.written() == ["<0001" + liveBegin + "2|12|"])
        probe.reset(id, .originFailed)
        probe.reset(id, .originFailed)
        #expect(probe.written() == [">"])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0 && !probe.isOccupied)
    }

    /// What came from an origin before it failed goes out first.
    @Test func anAnswerThatBreaksOffEndsBehindWhatWaits() throws {
        let probe = try MessageProbe(.acceptor)
        let id = try take(probe)
        probe.respond(id, liveAnswer)
        probe.send(id, "12")
        #expect(probe.written() == ["<0001" + liveBegin + "2|12|"])
        probe.send(id, "34")
        probe.breakOff(id, .originFailed)
        #expect(probe.written() == ["2|34|>"])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0 && !probe.isOccupied)
    }

    @Test func whatIsLeftOfARequestIsDroppedOnceItsAnswerIsWhole() throws {
        let probe = try eager(.acceptor)
        try probe.receive(
            "0001POST / HTTP/1.1|Host: a|Content-Length: 99||0123456789ab", isLast: false)
        #expect(probe.isBlocked)
        probe.respond(StreamID(1), "HTTP/1.1 413 Too Large|Content-Length: 0||", isLast: true)
        probe.ignoreRest(StreamID(1))
        #expect(!probe.isBlocked)
        #expect(probe.written() == ["<0001HTTP/1.1 413 Too Large|Content-Length: 0||>"])
        #expect(probe.streamCount == 0 && probe.budget.taken == 0)
        // Cut or whole: nobody cares.
        #expect(try probe.receive("more") == [])
        #expect(try probe.receive("0001GET / HTTP/1.1|Host: a||").count == 1)
    }

    @Test func aRequestCutWhileItsRestIsIgnoredDoesNotTouchTheAnswer() throws {
        let probe = try MessageProbe(.acceptor)
        try probe.receive("0001POST / HTTP/1.1|Host: a|Content-Length: 99||0123", isLast: false)
        probe.respond(StreamID(1), "HTTP/1.1 403 Forbidden|Content-Length: 0||", isLast: true)
        probe.ignoreRest(StreamID(1))
        #expect(try probe.receive("") == [])
        #expect(probe.written() == ["<0001HTTP/1.1 403 Forbidden|Content-Length: 0||>"])
    }
}
