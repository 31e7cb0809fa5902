package import TunnelProtocol

/// Slows down who guesses passwords: after some failures an address is refused for a while.
///
/// Each address has a bucket of failures that empties with time. The table is bounded: when it is full the
/// addresses whose buckets are empty go, and if none is, new addresses are not tracked.
package struct AuthenticationThrottle: Sendable {
    /// Failures that an address may have at once.
    package static let tolerance = 10.0
    /// Failures forgiven each second.
    package static let forgivenPerSecond = 0.1
    /// Addresses remembered at most.
    package static let maximumAddresses = 10_000

    private struct Bucket: Sendable {
        var failures: Double
        var updated: MonotonicInstant

        func level(_ now: MonotonicInstant) -> Double {
            max(0, failures - now.since(updated) / .seconds(1) * AuthenticationThrottle.forgivenPerSecond)
        }
    }

    private var buckets: [String: Bucket] = [:]

    package init() {}

    /// Whether an address must wait before it may try again.
    package func refuses(_ address: String, now: MonotonicInstant) -> Bool {
        (buckets[address]?.level(now) ?? 0) >= Self.tolerance
    }

    /// A handshake from this address failed for its password.
    package mutating func failed(_ address: String, now: MonotonicInstant) {
        if buckets[address] == nil, buckets.count >= Self.maximumAddresses {
            buckets = buckets.filter { $0.value.level(now) > 0 }
            guard buckets.count < Self.maximumAddresses else { return }
        }
        buckets[address] = Bucket(failures: (buckets[address]?.level(now) ?? 0) + 1, updated: now)
    }
}
