package import NIOCore

/// Does something with what came for it, as far as its share of a turn of the event loop goes.
package protocol TurnTaker: AnyObject {
    /// Its turn has come, after it asked for one by `wait`; it may do so much now, and asks again if there is more.
    func haveTurn(_ share: Int)
}

/// The turns of one event loop, shared by those who use it; see `TurnAllowance`. Used on its loop alone, but for
/// finding it.
package final class LoopTurns: Sendable {
    private struct State {
        var allowance = TurnAllowance<any TurnTaker>()
        /// Whether the end of this turn, or the beginning of the next for those in line, is waited for.
        var isEnding = false
    }

    /// Between two turns of those in line: so long the loop looks at its sockets, or rests.
    private static let breather: TimeAmount = .microseconds(50)
    private static let known = OnePerLoop<LoopTurns>()

    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>
    private let boundEnd: NIOLoopBound<TurnEnd>

    private init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        state = NIOLoopBoundBox(State(), eventLoop: eventLoop)
        boundEnd = NIOLoopBound(TurnEnd(of: eventLoop), eventLoop: eventLoop)
    }

    /// The turns of the event loop that this is called on.
    package static func of(_ eventLoop: any EventLoop) -> LoopTurns {
        known.value(of: eventLoop, orElse: LoopTurns.init)
    }

    /// The end of each of them.
    package var end: TurnEnd { boundEnd.value }

    /// What somebody may do now for whom something has just come, and who is not in line.
    package var share: Int { state.value.allowance.share }

    /// So much was done.
    package func spend(_ work: Int) {
        state.value.allowance.spend(work)
        if state.value.allowance.isLow { endTurn() }
    }

    /// There is more to do than the share allowed.
    package func wait(_ taker: any TurnTaker) {
        state.value.allowance.wait(taker)
        endTurn()
    }

    /// Behind what was brought about in this turn. Those in line go on later: a task for at once, or one of those that
    /// their work brings about, would run before sockets are looked at.
    private func endTurn() {
        guard !state.value.isEnding else { return }
        state.value.isEnding = true
        eventLoop.assumeIsolated().execute {
            guard self.state.value.allowance.isAnyoneInLine else { return self.beginTurn() }
            self.eventLoop.assumeIsolated().scheduleTask(in: Self.breather) {
                self.beginTurn()
                while let (taker, share) = self.state.value.allowance.next() { taker.haveTurn(share) }
            }
        }
    }

    private func beginTurn() {
        state.value.allowance.begin()
        state.value.isEnding = false
    }
}
