import Synchronization
import TunnelProtocol

/// When something last came on a session, to be read on any thread.
package final class SessionPulse: Sendable {
    private let nanoseconds = Atomic<UInt64>(MonotonicInstant.now.nanoseconds)

    var last: MonotonicInstant { MonotonicInstant(nanoseconds: nanoseconds.load(ordering: .relaxed)) }

    func beat(_ now: MonotonicInstant) { nanoseconds.store(now.nanoseconds, ordering: .relaxed) }
}
