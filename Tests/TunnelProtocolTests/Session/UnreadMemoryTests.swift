import NIOCore
import Testing

@testable import TunnelProtocol

/// What waits for peers that do not read, of all sessions together.
@Suite struct UnreadMemoryTests {
    /// Pings until the session ends, or so often, and reads none of the answers.
    ///
    /// - Returns: whether it ended.
    private func ping(_ probe: SessionProbe, messages: Int) -> Bool {
        let pings = [MuxFrame](repeating: .ping(1), count: 500)
        for _ in 0..<messages {
            do {
                try probe.receive(pings)
            } catch {
                #expect(error == .flooded)
                return true
            }
        }
        return false
    }

    @Test func sessionsThatPingAndDoNotReadHaveOneBoundTogether() throws {
        let budget = TestBudget(8 << 20)
        var kept = 0
        for _ in 0..<200 {
            let probe = try SessionProbe(.acceptor, sharing: budget)
            #expect(ping(probe, messages: 1000))
            kept += probe.controlBytes
        }
        #expect(kept <= (8 << 20) + 200 * (65 << 10))
        #expect(budget.taken <= 8 << 20)
    }

    @Test func whoReadsMayAskForAnyNumberOfAnswers() throws {
        let probe = try SessionProbe(.acceptor, budget: 0)
        for _ in 0..<100 {
            #expect(!ping(probe, messages: 4))
            #expect(probe.written().count == 2000)
        }
    }

    /// A slow reader never takes all of it at once.
    @Test func whoReadsSlowlyIsNotBlamedForWhatItHasRead() throws {
        let probe = try SessionProbe(.acceptor, budget: 0)
        #expect(!ping(probe, messages: 6))
        for _ in 0..<100 {
            #expect(!ping(probe, messages: 1))
            #expect(probe.message(budget: 8 << 10).readableBytes <= 8 << 10)
            #expect(probe.controlBytes > 0)
        }
    }

    @Test func whatWasDrawnIsGivenBackWhenItWasTaken() throws {
        let probe = try SessionProbe(.acceptor)
        #expect(!ping(probe, messages: 100))
        #expect(probe.budget.taken > 500_000)
        _ = probe.written()
        #expect(probe.budget.taken == 0)
    }

    @Test func whatWasDrawnIsGivenBackAtTheEnd() throws {
        let probe = try SessionProbe(.acceptor)
        #expect(!ping(probe, messages: 100))
        probe.machine.close()
        #expect(probe.budget.taken == 0)
    }

    @Test func requestsThatAreNotReadStopFurtherOnes() throws {
        let probe = try SessionProbe(.opener, budget: 0)
        let head = bytes(10_000)
        var opened = 0
        while opened < 1000, probe.open(head: head, isLast: true) != nil { opened += 1 }
        #expect(opened == 7)
        _ = probe.written()
        #expect(probe.open(head: head, isLast: true) != nil, "others may have them, and this one later")
    }

    @Test func answersThatAreNotReadEndTheirStreamsAlone() throws {
        let probe = try SessionProbe(.acceptor, budget: 0)
        for number in 1...20 as ClosedRange<UInt32> { try probe.take(number, isLast: true) }
        for number in 1...20 as ClosedRange<UInt32> {
            probe.respond(StreamID(number), head: bytes(10_000), isLast: true)
        }
        #expect(probe.controlBytes < 80_000)
        let frames = probe.written()
        let resets = frames.filter { if case .reset(_, .internalError, _) = $0 { true } else { false } }
        #expect(resets.count == 13)
        #expect(frames.count == 20)
    }

    @Test func streamsWhoseReadersStoppedShareWhatASessionKeeps() throws {
        let probe = try SessionProbe(.acceptor)
        let piece = bytes(1 << 10)
        var kept: [Int] = []
        for number in 1...1000 as ClosedRange<UInt32> {
            try probe.take(number, window: 0, isLast: true)
            probe.respond(StreamID(number), isLast: false)
            var count = piece.readableBytes
            while probe.send(StreamID(number), piece) { count += piece.readableBytes }
            kept.append(count)
        }
        #expect(kept.first == 64 << 10)
        #expect(kept.last == 8 << 10)
        #expect(kept.reduce(0, +) < 16 << 20)
        #expect(probe.machine.waitingBytes == kept.reduce(0, +))
        for number in 1...1000 as ClosedRange<UInt32> { probe.reset(StreamID(number), .cancelled) }
        #expect(probe.machine.waitingBytes == 0)
    }

    @Test func theMinimumOfAStreamCountsOnceMuchCame() throws {
        let probe = try SessionProbe(.opener, budget: 0)
        let ids = (0..<10).compactMap { _ in probe.open(isLast: true) }
        for id in ids {
            try probe.receive(
                .response(id, head: SessionProbe.head, isInterim: false, isLast: false),
                .data(id, bytes(100), isLast: false))
        }
        #expect(probe.budget.counted == 0)
        for id in ids { try probe.receive(.data(id, bytes(8 << 10), isLast: false)) }
        #expect(probe.budget.counted == 10 * 16 << 10)
        for id in ids.prefix(5) { try probe.receive(.data(id, bytes(1), isLast: true)) }
        probe.reset(ids[5], .cancelled)
        #expect(probe.budget.counted == 4 * 16 << 10)
        probe.machine.close()
        #expect(probe.budget.counted == 0)
    }

    @Test func streamsKeepLittleWhileMemoryIsShort() throws {
        let probe = try SessionProbe(.acceptor, sharing: TestBudget(0, isShort: true))
        try probe.take(1, window: 0, isLast: true)
        probe.respond(StreamID(1), isLast: false)
        #expect(probe.send(StreamID(1), bytes(8 << 10 - 1)))
        #expect(!probe.send(StreamID(1), bytes(1)))
    }

    /// - Returns: machine with trailers of 20 KiB behind the data of each stream, which has no credit.
    private func keepTrailers(streams: UInt32, budget: Int) throws -> SessionProbe {
        let probe = try SessionProbe(.acceptor, budget: budget)
        for number in 1...streams {
            try probe.take(number, window: 0, isLast: true)
            probe.respond(StreamID(number), isLast: false)
            _ = probe.send(StreamID(number), bytes(1))
            probe.finish(StreamID(number), trailers: bytes(20 << 10))
        }
        return probe
    }

    @Test func trailersThatWaitAreDrawnFromTheBudget() throws {
        let probe = try keepTrailers(streams: 10, budget: 70 << 10)
        _ = probe.written()
        #expect(probe.budget.taken == 56 << 10)
        try probe.receive((1...10).map { .window(StreamID($0), 1) })
        let frames = probe.written()
        // A free share, what was drawn, and the one that goes beyond.
        #expect(frames.count { if case .trailers = $0 { true } else { false } } == 7)
        #expect(
            frames.contains(
                .reset(StreamID(8), .internalError, reason: "too many trailers wait to be read")))
        #expect(probe.budget.taken == 0 && probe.streamCount == 0)
    }

    @Test func trailersThatAreReadNeedNoBudget() throws {
        let probe = try SessionProbe(.acceptor, budget: 0)
        for number in 1...100 as ClosedRange<UInt32> {
            try probe.take(number, isLast: true)
            probe.respond(StreamID(number), isLast: false)
            probe.finish(StreamID(number), trailers: bytes(80 << 10))
            #expect(probe.written().count == 2)
        }
    }

    @Test(arguments: ["reset by us", "reset by the peer", "broken off", "the end"])
    func trailersThatAreNeverSentAreGivenBack(end: String) throws {
        let probe = try keepTrailers(streams: 10, budget: 1 << 20)
        #expect(probe.budget.taken > 100 << 10)
        for id in (1...10).map({ StreamID($0) }) {
            switch end {
            case "reset by us": probe.reset(id, .cancelled)
            case "reset by the peer": try probe.receive(.reset(id, .cancelled, reason: ""))
            case "broken off": probe.breakOff(id, .originFailed, reason: "")
            default: break
            }
        }
        if end == "the end" { probe.machine.close() }
        #expect(probe.budget.taken == 0)
    }

    /// On a slow link, where little is written at once, ten downloads are not in each other's way for long.
    @Test(arguments: [(64 << 10, 32 << 10), (4 << 10, 2 << 10), (1, 1 << 10)])
    func aTurnIsHalfOfWhatIsWrittenAtOnce(budget: Int, turn: Int) throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1, isLast: true)
        probe.respond(StreamID(1), isLast: false)
        _ = probe.written()
        _ = probe.send(StreamID(1), bytes(40 << 10))
        guard case .data(_, let first, _) = SessionProbe.frames(of: probe.message(budget: budget)).first
        else {
            Issue.record("no data")
            return
        }
        #expect(first.readableBytes == turn)
    }
}
