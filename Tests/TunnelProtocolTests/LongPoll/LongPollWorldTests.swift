import Foundation
import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("Long polling: whatever the network does, every byte comes once and in order")
struct LongPollWorldTests {
    private static let isSlow = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1"
    /// Worlds of each weather.
    private static let rounds = isSlow ? 400 : 60

    private struct Example: CustomTestStringConvertible {
        let testDescription: String
        let weather: LongPollWorld.Weather
    }

    private static let examples = [
        Example(testDescription: "calm", weather: .init()),
        Example(testDescription: "a fifth is lost", weather: .init(losesRequests: 20, losesAnswers: 20)),
        Example(testDescription: "requests are repeated", weather: .init(repeats: 40, delay: 400)),
        Example(
            testDescription: "a bit of everything",
            weather: .init(losesRequests: 5, losesAnswers: 5, repeats: 20, cutsMidway: 30, delay: 200)),
        Example(testDescription: "answers held back", weather: .init(streams: false)),
        Example(
            testDescription: "answers held back, and a bit of everything",
            weather: .init(losesAnswers: 10, repeats: 10, cutsMidway: 10, streams: false)),
        Example(testDescription: "one connection", weather: .init(connections: 1)),
        Example(
            testDescription: "one connection that loses answers",
            weather: .init(losesAnswers: 10, connections: 1, streams: false)),
        Example(
            testDescription: "polls cut after three seconds", weather: .init(delay: 20, longestHold: 3_000)),
        Example(
            testDescription: "slow, three connections",
            weather: .init(losesAnswers: 5, repeats: 20, delay: 1500, connections: 3)),
        Example(
            testDescription: "half of the answers cut somewhere",
            weather: .init(repeats: 10, breaksAnswers: 50, readersPause: 5)),
        Example(
            testDescription: "half of the answers cut somewhere, one connection",
            weather: .init(breaksAnswers: 50, connections: 1, streams: false, readersPause: 5)),
    ]

    /// What is written is taken from somewhere in it.
    private static let source: ByteBuffer = {
        var random = SplitMix64(seed: 1)
        return ByteBuffer(bytes: random.bytes(1 << 20))
    }()

    private static func bytes(_ count: Int, _ random: inout SplitMix64) throws -> ByteBuffer {
        let start = Int.random(in: 0...source.readableBytes - count, using: &random)
        return try #require(source.getSlice(at: start, length: count))
    }

    @Test("In seeded worlds", arguments: examples.indices)
    private func worlds(place: Int) throws {
        for round in 0..<Self.rounds {
            let seed = UInt64(1000 + round * Self.examples.count + place)
            do {
                try world(seed, Self.examples[place].weather)
            } catch {
                Issue.record("\(Self.examples[place].testDescription), seed \(seed): \(error)")
            }
        }
    }

    private func world(_ seed: UInt64, _ weather: LongPollWorld.Weather) throws {
        var random = SplitMix64(seed: seed)
        var world = LongPollWorld(seed: seed, weather: weather)
        for _ in 0..<Int.random(in: 1...30, using: &random) {
            let size = Int.random(in: 1...(Bool.random(using: &random) ? 200 : 300_000), using: &random)
            let bytes = try Self.bytes(size, &random)
            if Bool.random(using: &random) {
                if world.client.keptBytes + size <= LongPollSender.mostKept { world.clientWrites(bytes) }
            } else {
                if world.server.keptBytes + size <= LongPollSender.mostKept { world.serverWrites(bytes) }
            }
            try world.run(for: .milliseconds(Int.random(in: 0...400, using: &random)))
        }
        // In this weather as long as it takes; then it heals.
        try world.run(for: .seconds(300)) { $0.isWhole }
        world.weather = .init(connections: weather.connections, streams: weather.streams)
        try heal(&world, within: .seconds(120))
        try end(&world)
    }

    private func heal(_ world: inout LongPollWorld, within time: Duration) throws {
        try world.run(for: time) { $0.isWhole }
        guard world.isWhole else {
            let ends = "\(String(describing: world.client.end)), \(String(describing: world.server.end))"
            throw TestFailure("it does not go on: \(world.progress); ends: \(ends)")
        }
    }

    private func end(_ world: inout LongPollWorld) throws {
        world.clientFinishes()
        world.serverFinishes()
        try world.run(for: .seconds(120)) { $0.haveEnded }
        #expect(world.client.end == .finished)
        #expect(world.server.end == .finished || world.server.end == .silent)
    }
}
