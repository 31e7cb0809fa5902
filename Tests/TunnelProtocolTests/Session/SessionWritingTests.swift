import NIOCore
import Testing

@testable import TunnelProtocol

/// What goes into a message, and in which order.
@Suite struct SessionWritingTests {
    private let head = SessionProbe.head

    @Test func headsAndPingsGoBeforeData() throws {
        let probe = try SessionProbe(.opener)
        let big = try #require(probe.open(isLast: false))
        _ = probe.written()
        _ = probe.send(big, bytes(500_000))
        _ = probe.message(budget: 1000)
        let small = try #require(probe.open(isLast: true))
        try probe.receive(.ping(99))
        let frames = SessionProbe.frames(of: probe.message())
        guard case .request(small, _, _, _)? = frames.first, frames.dropFirst().first == .pong(99) else {
            Issue.record("\(frames.prefix(2))")
            return
        }
        #expect(frames.count > 2)
    }

    /// Which stream each data frame is of.
    private func turns(_ frames: [MuxFrame]) -> [StreamID] {
        frames.compactMap { frame in
            if case .data(let id, _, _) = frame { id } else { nil }
        }
    }

    @Test(arguments: [1, 5000, 64 << 10, 1 << 20])
    func aBigStreamDelaysNoOtherByMoreThanATurn(budget: Int) throws {
        let probe = try SessionProbe(.opener)
        let ids = try (0..<6).map { _ in
            try #require(probe.open(isLast: false))
        }
        _ = probe.send(ids[0], bytes(600_000))
        _ = probe.message(budget: 100)
        for id in ids[1...] { _ = probe.send(id, bytes(70_000)) }
        for id in ids { probe.finish(id) }
        var left = Dictionary(uniqueKeysWithValues: ids.map { ($0, $0 == ids[0] ? 600_000 : 70_000) })
        var waited: [StreamID: [StreamID: Int]] = [:]
        for frame in probe.written(budget: budget) {
            guard case .data(let id, let bytes, _) = frame else { continue }
            #expect(bytes.readableBytes <= 32 << 10)
            left[id, default: 0] -= bytes.readableBytes
            waited[id] = [:]
            for other in ids where other != id && left[other, default: 0] > 0 {
                waited[other, default: [:]][id, default: 0] += 1
                #expect(waited[other]?[id] ?? 0 <= 1, "\(other) waited for two turns of \(id)")
            }
        }
        // The big one had its first turn before the others came.
        #expect(left.filter { $0.key != ids[0] }.values.allSatisfy { $0 == 0 })
    }

    @Test func aStreamThatSendsAgainGoesToTheEndOfTheQueue() throws {
        let probe = try SessionProbe(.opener)
        let (first, second) = (
            try #require(probe.open(isLast: false)),
            try #require(probe.open(isLast: false))
        )
        _ = probe.send(first, bytes(100_000))
        _ = probe.send(second, bytes(10))
        #expect(turns(probe.written()) == [first, second, first, first, first])
    }

    @Test func aBodyNeverOvertakesItsHead() throws {
        let probe = try SessionProbe(.acceptor)
        let numbers = 1...30 as ClosedRange<UInt32>
        for number in numbers {
            try probe.take(number, isLast: true)
            // Together more than fits into one message.
            probe.respond(StreamID(number), head: bytes(70_000), isInterim: false, isLast: false)
            _ = probe.send(StreamID(number), bytes(100))
            probe.finish(StreamID(number))
        }
        var begun = Set<StreamID>()
        var ended = Set<StreamID>()
        while probe.hasSomethingToWrite {
            let message = probe.message(budget: 1 << 20)
            #expect(message.readableBytes <= 1 << 20)
            for frame in SessionProbe.frames(of: message) {
                switch frame {
                case .response(let id, _, _, _, _):
                    begun.insert(id)
                case .data(let id, _, let isLast):
                    #expect(begun.contains(id), "the body of \(id) went first")
                    if isLast { ended.insert(id) }
                default: break
                }
            }
        }
        #expect(ended.count == 30)
    }

    @Test(arguments: [1, 64 << 10, 1 << 20, .max]) func aMessageKeepsItsLimit(budget: Int) throws {
        let probe = try SessionProbe(.opener)
        for _ in 0..<60 {
            let id = try #require(probe.open(head: bytes(60_000), isLast: false))
            _ = probe.send(id, bytes(64 << 10))
            probe.finish(id, trailers: bytes(80 << 10))
        }
        var total = 0
        while probe.hasSomethingToWrite {
            let message = probe.message(budget: budget)
            #expect(message.readableBytes > 0 && message.readableBytes <= 1 << 20)
            guard message.readableBytes > 0 else { break }
            total += message.readableBytes
        }
        #expect(total > 60 * (60_000 + (64 << 10) + (80 << 10)))
    }

    @Test func limitsTooSmallForAHeadStillGoOn() throws {
        var limits = SessionLimits()
        limits.maximumMessageBytes = 1000
        let probe = try SessionProbe(.opener, limits: limits)
        let id = try #require(probe.open(head: bytes(60_000), isLast: false))
        _ = probe.send(id, bytes(10))
        #expect(turns(probe.written(budget: 1)) == [id])
    }

    @Test func aStreamThatWasResetLeavesNothingToWrite() throws {
        let probe = try SessionProbe(.opener)
        let id = try #require(probe.open(isLast: false))
        _ = probe.written()
        _ = probe.send(id, bytes(10))
        #expect(probe.hasSomethingToWrite)
        try probe.receive(.reset(id, .originFailed, reason: ""))
        #expect(!probe.hasSomethingToWrite)
        #expect(probe.message().readableBytes == 0)
    }

    @Test func manySmallPiecesAreFewInMemoryAndStayInOrder() throws {
        let probe = try SessionProbe(.opener)
        let id = try #require(probe.open(isLast: false))
        var expected: [UInt8] = []
        for number in 0..<20_000 {
            // As a network would give them: each in a read buffer of its own.
            var read = ByteBuffer()
            read.reserveCapacity(2048)
            read.writeInteger(UInt8(truncatingIfNeeded: number))
            expected.append(UInt8(truncatingIfNeeded: number))
            _ = probe.send(id, read)
        }
        #expect(probe.streams[id]?.waiting.pieceCount ?? .max <= 6)
        let sent = probe.written().reduce(into: [UInt8]()) { sent, frame in
            if case .data(_, let bytes, _) = frame { sent += bytes.readableBytesView }
        }
        #expect(sent == expected)
    }
}
