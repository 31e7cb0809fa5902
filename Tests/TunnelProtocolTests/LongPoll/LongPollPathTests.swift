import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("Long polling: what paths do to it, one by one")
struct LongPollPathTests {
    private static func bytes(_ count: Int) -> ByteBuffer {
        var random = SplitMix64(seed: UInt64(count))
        let piece = random.bytes(min(count, 65_521))
        var buffer = ByteBuffer()
        while buffer.readableBytes < count {
            buffer.writeBytes(piece.prefix(count - buffer.readableBytes))
        }
        return buffer
    }

    private func heal(_ world: inout LongPollWorld, within time: Duration) throws {
        try world.run(for: time) { $0.isWhole }
        guard world.isWhole else {
            let ends = "\(String(describing: world.client.end)), \(String(describing: world.server.end))"
            throw TestFailure("it does not go on: \(world.progress); ends: \(ends)")
        }
    }

    @Test(
        "Every answer is cut somewhere, a thousand of them, and all comes",
        arguments: [true, false], [1, 64])
    func everyAnswerIsCut(streams: Bool, connections: Int) throws {
        var world = LongPollWorld(
            seed: 1, weather: .init(breaksAnswers: 100, connections: connections, streams: streams))
        var written = 0
        while world.broken < 1_000 {
            if world.server.keptBytes < 1 << 20 {
                world.serverWrites(Self.bytes(100_000))
                written += 1
            }
            if written.isMultiple(of: 4), world.client.keptBytes < 1 << 20 {
                world.clientWrites(Self.bytes(10_000))
            }
            let before = world.progress
            let broken = world.broken
            try world.run(for: .seconds(20)) { $0.broken >= broken + 20 }
            try #require(world.progress != before && world.client.end == nil, "it goes on all the while")
        }
        world.weather = .init(connections: connections, streams: streams)
        try heal(&world, within: .seconds(60))
    }

    private enum Outage: CaseIterable {
        /// Each request fails at once.
        case told
        /// What is sent passes when the path heals.
        case stalled
        /// What is sent never arrives, and nobody is told.
        case silent
    }

    @Test("Nothing passes for a while, and then it goes on", arguments: Outage.allCases, [1, 64])
    private func nothingPasses(outage: Outage, connections: Int) throws {
        for (seed, streams) in [true, false, true, false].enumerated() {
            let healthy = LongPollWorld.Weather(delay: 20, connections: connections, streams: streams)
            var world = LongPollWorld(seed: UInt64(seed), weather: healthy)
            world.serverWrites(Self.bytes(300_000))
            world.clientWrites(Self.bytes(300_000))
            try heal(&world, within: .seconds(20))
            try world.run(for: .seconds(7 + 5 * seed))
            switch outage {
            case .told: (world.weather.losesRequests, world.weather.losesAnswers) = (100, 100)
            case .stalled: world.weather.isStalled = true
            case .silent: world.weather.isSilent = true
            }
            world.serverWrites(Self.bytes(200_000))
            world.clientWrites(Self.bytes(200_000))
            // What vanished has to be given up first, and a poll is given up only after its time.
            try world.run(for: .seconds(outage == .silent ? 20 : 50))
            try #require(!world.isWhole)
            world.weather = healthy
            try heal(&world, within: .seconds(40))
        }
    }

    @Test("Windows full both ways, in thousands of tiny pieces, with readers that pause", arguments: 1...8)
    func windowsFull(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        var world = LongPollWorld(
            seed: UInt64(seed),
            weather: .init(
                losesAnswers: seed % 4 * 5, breaksAnswers: seed % 3 * 10, delay: 100,
                connections: seed % 4 == 0 ? 1 : 64, streams: seed % 2 == 0, readersPause: 2, pause: 5_000))
        let piece = Self.bytes(1_500)
        for _ in 0..<6_000 {
            let length = Int.random(in: 1...1_500, using: &random)
            let bytes = try #require(piece.getSlice(at: 0, length: length))
            if world.server.keptBytes + length <= LongPollSender.mostKept { world.serverWrites(bytes) }
            if world.client.keptBytes + length <= LongPollSender.mostKept { world.clientWrites(bytes) }
            guard Int.random(in: 0..<8, using: &random) == 0 else { continue }
            try world.run(for: .microseconds(Int.random(in: 1...3_000, using: &random)))
        }
        try world.run(for: .seconds(60)) { $0.isWhole }
        world.weather = .init(connections: world.weather.connections, streams: world.weather.streams)
        try heal(&world, within: .seconds(60))
    }

    private static let hindrances = [
        LongPollWorld.Weather(), .init(connections: 1), .init(streams: false),
        .init(losesAnswers: 30), .init(losesAnswers: 30, streams: false),
    ]

    private enum Side: CaseIterable {
        case client
        case server
        case both
    }

    @Test(
        "Readers that take nothing for long stop the other end at its window; then it goes on at once",
        arguments: Side.allCases, hindrances)
    private func readersPause(writing: Side, weather: LongPollWorld.Weather) throws {
        for seed in 1...8 {
            var world = LongPollWorld(seed: UInt64(seed), weather: weather)
            // Polls of any age are held when they read again.
            let rest = Duration.seconds(3 * seed)
            world.readersPause(for: .seconds(48) + rest)
            for _ in 0..<12 {
                let keeps = (world.client.keptBytes, world.server.keptBytes)
                if writing != .client, keeps.1 <= 3 << 20 { world.serverWrites(Self.bytes(1 << 20)) }
                if writing != .server, keeps.0 <= 3 << 20 { world.clientWrites(Self.bytes(1 << 20)) }
                try world.run(for: .seconds(4))
            }
            try world.run(for: rest)
            try #require(!world.isWhole)
            world.weather.losesAnswers /= 2
            try heal(&world, within: .seconds(8))
        }
    }
}
