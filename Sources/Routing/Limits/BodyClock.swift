package import TunnelConfiguration
package import TunnelProtocol

/// Whether the body of a request comes fast enough: it may lag behind its pace by so much, and gains no more ahead by
/// having been fast.
package struct BodyClock: Sendable {
    private let pace: BodyPace
    /// By then more has to come.
    package private(set) var deadline: MonotonicInstant

    /// - Parameter now: from when on bytes may come.
    package init(_ pace: BodyPace, now: MonotonicInstant) {
        self.pace = pace
        deadline = now.advanced(by: pace.patience)
    }

    package mutating func came(_ bytes: Int, now: MonotonicInstant) {
        let gained = Duration.seconds(Double(bytes) / Double(pace.bytesPerSecond))
        deadline = min(
            deadline.advanced(by: min(gained, pace.patience)), now.advanced(by: pace.patience))
    }

    /// Bytes are taken again, or were not taken: what did not come meanwhile is nobody's fault.
    package mutating func restart(now: MonotonicInstant) { deadline = now.advanced(by: pace.patience) }

    package func isDue(_ now: MonotonicInstant) -> Bool { now >= deadline }
}
