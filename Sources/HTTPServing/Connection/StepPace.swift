import HostSystem
import NIOCore

/// Does something with what came, one step after another.
protocol StepTaker: AnyObject {
    /// - Returns: whether there may be more to do.
    func takeStep() -> Bool
    /// All is done that there is use for, or its turn is over.
    func restsAfterSteps()
}

/// Has a connection take steps as far as its share of the event loop's turns goes.
final class StepPace: TurnTaker {
    private enum State {
        /// All is done that there is use for.
        case resting
        /// One step is taken after another: what changes meanwhile, the next one sees.
        case working
        /// It waits for its turn.
        case inLine
    }

    /// Steps that are taken as soon as there is something to do; who sends more small things at once waits for its turn.
    private static let freeSteps = 20
    /// What a step is in units of `LoopTurns`.
    private static let stepWork = 64

    private var state = State.resting
    private let eventLoop: any EventLoop
    private lazy var turns = LoopTurns.of(eventLoop)
    private weak var waiting: (any StepTaker)?

    init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    var isInLine: Bool {
        if case .inLine = state { return true }
        return false
    }

    /// Something may be to be done.
    func run(_ taker: any StepTaker) { run(taker, steps: Self.freeSteps) }

    private func run(_ taker: any StepTaker, steps: Int) {
        guard case .resting = state else { return }
        state = .working
        var left = steps
        while left > 0, taker.takeStep() { left -= 1 }
        state = .resting
        // A few are not worth counting.
        if steps - left >= Self.freeSteps / 4 { turns.spend((steps - left) * Self.stepWork) }
        if left == 0 {
            state = .inLine
            waiting = taker
            turns.wait(self)
        }
        taker.restsAfterSteps()
    }

    func haveTurn(_ share: Int) {
        state = .resting
        if let waiting { run(waiting, steps: max(Self.freeSteps, share / Self.stepWork)) }
    }
}
