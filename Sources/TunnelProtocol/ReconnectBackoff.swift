/// How long a tunnel client waits before it tries again: exponential with full jitter, so that thousands of
/// clients that lost the same server do not come back in step.
package struct ReconnectBackoff: Sendable {
    /// Ceiling of the first wait.
    package var shortest: Duration = .milliseconds(250)
    /// Ceiling of the longest wait.
    package var longest: Duration = .seconds(30)
    /// A session that lived so long makes the next wait a first one again.
    package var settledAfter: Duration = .seconds(60)

    private var failures = 0

    package init() {}

    /// A session ended.
    package mutating func sessionEnded(after lifetime: Duration) {
        if lifetime >= settledAfter { failures = 0 }
    }

    /// The next wait: even between nothing and a ceiling that doubles up to the longest.
    package mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        let ceiling = min(longest, shortest * (1 << min(failures, 16)))
        failures += 1
        return ceiling * Double.random(in: 0...1, using: &random)
    }

    /// The wait after a refusal that will not pass by itself (a wrong password): long, yet not for ever, as the
    /// server may be reloaded.
    package mutating func afterRefusal(using random: inout some RandomNumberGenerator) -> Duration {
        longest * Double.random(in: 0.75...1.25, using: &random)
    }
}
