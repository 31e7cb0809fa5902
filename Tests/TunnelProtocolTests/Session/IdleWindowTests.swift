import NIOCore
import Testing

@testable import TunnelProtocol

/// Memory is drawn when bytes flow, and given back when they do not.
@Suite struct IdleWindowTests {
    /// A stream whose answer has begun, and its window as the request told it.
    private func openAnswered(_ probe: SessionProbe) throws -> (StreamID, window: Int) {
        let id = try #require(probe.open(isLast: true))
        var window = 0
        for case .request(id, let told, _, _) in probe.written() { window = told }
        try probe.receive(.response(id, head: SessionProbe.head, isInterim: false, isLast: false))
        return (id, window)
    }

    private func grants(_ probe: SessionProbe, _ id: StreamID) -> [Int] {
        probe.written().compactMap { if case .window(id, let count) = $0 { count } else { nil } }
    }

    @Test func manyIdleRequestsLeaveTheBudgetToThoseThatCome() throws {
        let probe = try SessionProbe(.opener, budget: 128 << 20)
        for _ in 0..<720 { #expect(probe.open(isLast: true) != nil) }
        #expect(probe.budget.taken <= 4 << 20)
        _ = probe.written()
        let (id, window) = try openAnswered(probe)
        #expect(window < 20 << 10, "what may be promised is used up")
        try probe.receive(.data(id, bytes(4 << 10), isLast: false))
        #expect(grants(probe, id) == [(256 << 10) - window], "its first bytes bring the whole window")
    }

    /// As of events, or WebSockets: a word now and then is no reason for a wide window, and there may be many of them.
    @Test func manyStreamsThatSayALittleLeaveTheBudgetToOthers() throws {
        let probe = try SessionProbe(.opener, budget: 128 << 20)
        for _ in 0..<900 {
            let (id, _) = try openAnswered(probe)
            for _ in 0..<10 { try probe.receive(.data(id, bytes(100), isLast: false)) }
            #expect(grants(probe, id) == [])
        }
        #expect(probe.budget.taken <= 4 << 20)
    }

    /// Whatever the origin takes to answer them.
    @Test func uploadsThatHaveComeWholeLeaveTheBudgetToOthers() throws {
        let probe = try SessionProbe(.acceptor, budget: 128 << 20)
        for number in 1...900 {
            let id = StreamID(UInt32(number))
            try probe.receive(
                .request(id, window: 64 << 10, head: SessionProbe.head, isLast: false),
                .data(id, bytes(10_000), isLast: true))
        }
        #expect(probe.streamCount == 900)
        #expect(probe.budget.taken == 0)
        #expect(probe.promised == 0)
    }

    @Test func aFewRequestsBeginWithTheWholeWindow() throws {
        let probe = try SessionProbe(.opener)
        for _ in 0..<8 { #expect(try openAnswered(probe).window == 256 << 10) }
        let later = try (0..<22).map { _ in try openAnswered(probe).window }
        #expect(later == later.sorted(by: >))
        #expect(later.allSatisfy { $0 > 32 << 10 }, "\(later)")
    }

    @Test func underWantTheFirstBytesBringALittle() throws {
        let probe = try SessionProbe(.opener, budget: 50 << 10)
        let (id, window) = try openAnswered(probe)
        #expect(window == 16 << 10)
        try probe.receive(.data(id, bytes(4 << 10), isLast: false))
        #expect(grants(probe, id) == [48 << 10])
        let (other, _) = try openAnswered(probe)
        try probe.receive(.data(other, bytes(4 << 10), isLast: false))
        #expect(grants(probe, other) == [], "there is no more")
    }

    @Test func anAnswerThatIsWholeAtOnceIsGrantedNothing() throws {
        let probe = try SessionProbe(.opener)
        for _ in 0..<100 { #expect(probe.open(isLast: true) != nil) }
        let (id, _) = try openAnswered(probe)
        let before = probe.budget.taken
        try probe.receive(.data(id, bytes(10), isLast: true))
        #expect(grants(probe, id) == [])
        #expect(probe.budget.taken <= before)
    }

    /// However a stream ends before its first bytes, what was promised to it may be promised to others.
    @Test(arguments: ["reset", "answered", "refused", "closed"]) func aPromiseEndsWithItsStream(_ end: String)
        throws
    {
        let probe = try SessionProbe(.opener)
        for _ in 0..<200 {
            let (id, window) = try openAnswered(probe)
            #expect(window == 256 << 10)
            switch end {
            case "reset": probe.reset(id, .cancelled)
            case "answered": try probe.receive(.data(id, bytes(0), isLast: true))
            case "refused": try probe.receive(.reset(id, .originFailed, reason: ""))
            default: probe.machine.close()
            }
            #expect(probe.budget.taken == 0)
            #expect(probe.promised == 0)
        }
    }

    @Test func aWindowThatLastsLongHalvesDownToItsMinimum() throws {
        let probe = try SessionProbe(.opener)
        let (id, window) = try openAnswered(probe)
        var credit = window
        var held: [Int] = []
        for _ in 0..<20 {
            let half = (probe.budget.taken + (16 << 10)) / 2
            try probe.receive(.data(id, bytes(half), isLast: false))
            credit += grants(probe, id).reduce(-half, +)
            probe.advance(.seconds(11))
            probe.consumed(id, half)
            credit += grants(probe, id).reduce(0, +)
            held.append(probe.budget.taken)
        }
        #expect(held.prefix(5) == [112 << 10, 48 << 10, 16 << 10, 0, 0])
        #expect(credit == 16 << 10, "it never stops")
    }

    @Test func aDownloadThatBeginsLateKeepsItsWindow() throws {
        let probe = try SessionProbe(.opener)
        let (id, _) = try openAnswered(probe)
        probe.advance(.seconds(60))
        try probe.receive(.data(id, bytes(128 << 10), isLast: false))
        probe.advance(.seconds(1))
        probe.consumed(id, 128 << 10)
        #expect(grants(probe, id) == [128 << 10])
    }
}

/// What windows cost on a path of 100 ms there and back that is never short of room.
@Suite struct DistantDownloadTests {
    private static let delay = Duration.milliseconds(50)

    /// Downloads so much while so many other requests wait for their answers.
    ///
    /// - Returns: the time from the first byte that the client sent to the last that the server took.
    private func download(_ length: Int, besides idle: Int, budget: Int = 128 << 20) throws -> Duration {
        let server = try SessionProbe(.opener, budget: budget)
        let client = try SessionProbe(.acceptor)
        for _ in 0..<idle { #expect(server.open(isLast: true) != nil) }
        let id = try #require(server.open(isLast: true))
        try client.receive(server.written())
        client.respond(id, isLast: false)
        let start = server.now
        var unsent = length
        var received = 0
        // Both sides act once in the time that a message takes, each on what the other said before.
        var (toServer, toClient): ([MuxFrame], [MuxFrame]) = ([], [])
        while received < length {
            try client.receive(toClient)
            while unsent > 0 {
                let count = min(unsent, 16 << 10)
                unsent -= count
                if !client.send(id, bytes(count)) { break }
                if unsent == 0 { client.finish(id) }
            }
            toServer = client.written()
            // What was written makes room for more.
            while unsent > 0, try client.events().contains(.writable(id)) {
                let count = min(unsent, 64 << 10)
                unsent -= count
                _ = client.send(id, bytes(count))
                if unsent == 0 { client.finish(id) }
                toServer += client.written()
            }
            for probe in [server, client] { probe.advance(Self.delay) }
            for event in try server.receive(toServer) {
                guard case .data(id, let bytes, _) = event else { continue }
                received += bytes.readableBytes
                server.consumed(id, bytes.readableBytes)
            }
            toClient = server.written()
            for probe in [server, client] { probe.advance(Self.delay) }
        }
        return server.now.since(start) - Self.delay
    }

    @Test func beforeFewOthersTheFirstWindowCostsNothing() throws {
        #expect(try download(256 << 10, besides: 0) == .milliseconds(50))
        #expect(try download(256 << 10, besides: 7) == .milliseconds(50))
    }

    @Test func besideManyThatWaitItCostsOneRoundTrip() throws {
        #expect(try download(16 << 10, besides: 720) == .milliseconds(50))
        #expect(try download(256 << 10, besides: 720) == .milliseconds(150))
    }
}
