/// Connections to origins at one moment; can be added to others.
package struct OriginConnections: Sendable, Hashable {
    /// With an exchange on them, attempts to connect included.
    package var busy = 0
    /// Kept for the next exchange.
    package var idle = 0
    /// Exchanges that wait for one.
    package var waiting = 0

    package init() {}

    package static func += (one: inout OriginConnections, other: OriginConnections) {
        one.busy += other.busy
        one.idle += other.idle
        one.waiting += other.waiting
    }
}
