import Testing

@testable import TunnelProtocol

/// Whose turn it is.
@Suite struct TurnOrderTests {
    private static let turn = 32 << 10

    /// Streams that always have more to write, and others that come and go.
    private struct World {
        var order = TurnOrder()
        var roundEnds: [StreamID: UInt64] = [:]
        var endless: Set<StreamID> = []

        mutating func add(_ number: UInt32) {
            order.append(StreamID(number), roundEnd: roundEnds[StreamID(number)] ?? 0)
        }

        mutating func addEndless(_ numbers: ClosedRange<UInt32>) {
            for number in numbers {
                endless.insert(StreamID(number))
                add(number)
            }
        }

        /// The next one's turn.
        mutating func take(_ bytes: Int = TurnOrderTests.turn) -> UInt32? {
            guard let id = order.next() else { return nil }
            order.left()
            roundEnds[id] = order.tookTurn(bytes)
            if endless.contains(id) { add(id.rawValue) }
            return id.rawValue
        }

        mutating func take(turns: Int) -> [UInt32] { (0..<turns).compactMap { _ in take() } }
    }

    @Test func thoseThatHaveMoreGoRound() {
        var world = World()
        world.addEndless(1...4)
        #expect(world.take(turns: 12) == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])
    }

    @Test func aNewOneComesNextAndThenGoesRound() {
        var world = World()
        world.addEndless(1...100)
        _ = world.take(turns: 150)
        world.addEndless(101...101)
        #expect(world.take() == 101)
        #expect(world.take(turns: 101).firstIndex(of: 101) == 100)
    }

    @Test func oneThatWasQuietForARoundComesNext() {
        var world = World()
        world.addEndless(1...10)
        _ = world.take(turns: 25)
        world.add(99)
        #expect(world.take() == 99)
        _ = world.take(turns: 10)
        world.add(99)
        #expect(world.take() == 99)
    }

    @Test func oneThatWasQuietForAMomentDoesNot() {
        var world = World()
        world.addEndless(1...10)
        _ = world.take(turns: 25)
        world.add(99)
        #expect(world.take() == 99)
        _ = world.take(turns: 9)
        world.add(99)
        // As if it had stood in line meanwhile.
        #expect(world.take(turns: 11).firstIndex(of: 99) == 10)
    }

    @Test func aFloodOfNewOnesLeavesTheOthersTheirShare() {
        var world = World()
        world.addEndless(1...4)
        _ = world.take(turns: 8)
        var old: [UInt32] = []
        for number in 100..<1000 as Range<UInt32> {
            world.add(number)
            world.add(number + 1000)
            if let next = world.take(), next < 100 { old.append(next) }
        }
        #expect(old.count == 100)
        #expect(Set(old) == [1, 2, 3, 4])
    }

    @Test func endedOnesCostNobodyATurn() {
        var world = World()
        world.addEndless(1...3)
        _ = world.take(turns: 3)
        for _ in 1...3 { world.order.left() }
        #expect(world.order.count == 0)
        // They still come out, to be passed over.
        for number in 1...3 as ClosedRange<UInt32> { #expect(world.order.next() == StreamID(number)) }
        #expect(world.order.next() == nil)
    }
}
