package import NIOCore
package import TunnelProtocol

extension MonotonicInstant {
    /// The event loops' clock.
    package static var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds)
    }
}

extension EventLoop {
    /// Its clock, which is the others' too, but for one that a test moves.
    package var instant: MonotonicInstant { MonotonicInstant(nanoseconds: now.uptimeNanoseconds) }
}
