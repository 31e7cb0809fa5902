import Foundation
import HostSystem
import NIOCore
import NIOPosix
import Testing

/// What event loops count, asked of them.
@Suite(.timeLimit(.minutes(1))) struct LoopCountTests {
    private final class Number {
        var value = 0
    }

    private typealias Count = LoopCount<Number, Int>

    private static func run(
        _ loops: Int, _ body: ([any EventLoop], [Count]) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let loops = Array(group.makeIterator())
        do {
            try await body(loops, loops.map { Count(Number(), on: $0, told: 0) { $0.value } })
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    @Test func everyLoopSaysWhatItHasCounted() async throws {
        try await Self.run(2) { loops, counts in
            for (number, count) in counts.enumerated() {
                try await loops[number].submit { count.counts.value += number + 1 }.get()
            }
            #expect(counts.map(\.lastTold) == [0, 0])
            await Count.ask(counts)
            #expect(counts.map(\.lastTold) == [1, 2])
            #expect(counts[0].isOf(loops[0]) && !counts[0].isOf(loops[1]))
        }
    }

    @Test func aLoopThatIsStuckSaysWhatItSaidBefore() async throws {
        try await Self.run(2) { loops, counts in
            for (number, count) in counts.enumerated() {
                try await loops[number].submit { count.counts.value = 5 }.get()
            }
            await Count.ask(counts)
            let isFree = DispatchSemaphore(value: 0)
            let stuck = loops[0].submit {
                counts[0].counts.value = 6
                isFree.wait()
            }
            try await loops[1].submit { counts[1].counts.value = 7 }.get()
            let time = await ContinuousClock().measure { await Count.ask(counts) }
            #expect(counts.map(\.lastTold) == [5, 7])
            #expect(time >= .milliseconds(150) && time < .seconds(10))
            isFree.signal()
            try await stuck.get()
            await Count.ask(counts)
            #expect(counts.map(\.lastTold) == [6, 7])
        }
    }

    /// More than are asked in one go.
    @Test func manyOfOneLoopAreAllAsked() async throws {
        try await Self.run(1) { loops, _ in
            let many = (0..<5000).map { number in
                let counts = Number()
                counts.value = number
                return Count(counts, on: loops[0], told: -1) { $0.value }
            }
            await Count.ask(many, patience: .seconds(30))
            #expect(many.map(\.lastTold) == Array(0..<5000))
            await Count.ask([])
        }
    }
}
