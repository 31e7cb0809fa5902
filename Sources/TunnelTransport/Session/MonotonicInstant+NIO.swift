import NIOCore
package import TunnelProtocol

extension MonotonicInstant {
    /// The event loops' clock.
    package static var now: MonotonicInstant {
        MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds)
    }
}
