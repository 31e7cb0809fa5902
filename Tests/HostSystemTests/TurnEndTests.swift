import HostSystem
import NIOCore
import NIOEmbedded
import Testing

@Suite struct TurnEndTests {
    private final class Ender: TurnEnder {
        private(set) var told = 0
        private let action: () -> Void

        init(_ action: @escaping () -> Void = {}) { self.action = action }

        func turnEnds() {
            told += 1
            action()
        }
    }

    private let loop = EmbeddedEventLoop()

    @Test func everyoneIsToldOnceInTheirOrder() {
        let turns = LoopTurns.of(loop)
        var order: [Int] = []
        let enders = (0..<100).map { number in Ender { order.append(number) } }
        for ender in enders { turns.end.tell(ender) }
        #expect(order.isEmpty, "the turn is not over")
        loop.run()
        #expect(order == Array(0..<100))
        loop.run()
        #expect(enders.allSatisfy { $0.told == 1 })
    }

    @Test func whoAsksMeanwhileIsToldBehindWhatTheOthersBroughtAbout() {
        let turns = LoopTurns.of(loop)
        var order: [String] = []
        let late = Ender { order.append("late") }
        let first = Ender {
            order.append("first")
            loop.assumeIsolated().execute { order.append("task") }
            turns.end.tell(late)
        }
        turns.end.tell(first)
        turns.end.tell(Ender { order.append("second") })
        loop.run()
        #expect(order == ["first", "second", "task", "late"])
    }

    @Test func nobodyIsKept() {
        let turns = LoopTurns.of(loop)
        weak var gone: Ender?
        do {
            let ender = Ender()
            gone = ender
            turns.end.tell(ender)
        }
        #expect(gone != nil)
        loop.run()
        #expect(gone == nil)
    }
}
