import Synchronization
import UnixSignals

/// The signals that an agent obeys. They are caught from when this is made, and kept until there is somebody to
/// obey: nothing that comes during a slow start is lost.
package final class AgentSignals: Sendable {
    enum Order: Sendable {
        case reload, stop
    }

    private struct State {
        var hasHangup = false
        var stops = 0
        var obey: (@Sendable (Order) -> Void)?
    }

    private let sequence: UnixSignalsSequence
    private let state = Mutex(State())
    private let stopAsked = Latch()

    package init() async {
        sequence = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    }

    /// Passes signals on until the task is cancelled. A sequence of signals ends with its one reader, so there is
    /// only this one.
    package func relay() async {
        for await signal in sequence { take(signal == .sighup ? .reload : .stop) }
    }

    /// Returns when the end was asked for, or the task is cancelled.
    package func untilStop() async { await stopAsked.wait() }

    /// Whether the end was asked for.
    package var isStopAsked: Bool { stopAsked.isOpen }

    /// From now on signals are obeyed so; those that came before at once.
    func attach(_ obey: @escaping @Sendable (Order) -> Void) {
        let (hasHangup, stops) = state.withLock { state in
            state.obey = obey
            return (state.hasHangup, state.stops)
        }
        if hasHangup { obey(.reload) }
        for _ in 0..<stops { obey(.stop) }
    }

    private func take(_ order: Order) {
        let obey = state.withLock { state in
            guard let obey = state.obey else {
                switch order {
                case .reload: state.hasHangup = true
                case .stop: state.stops += 1
                }
                return nil as (@Sendable (Order) -> Void)?
            }
            return obey
        }
        obey?(order)
        if order == .stop { stopAsked.open() }
    }
}
