import Synchronization
import TunnelProtocol

/// The pace at which the clients of a process dial, all together.
package final class DialPacer: Sendable {
    private let pace = Mutex(DialPace())

    package init() {}

    /// Takes a turn; how long to wait for it.
    func turn() -> Duration { pace.withLock { $0.turn(at: .now) } }
}
