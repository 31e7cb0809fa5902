/// Of which requests spans are made. Plain values: time and chance are passed in.
package struct TraceSampling: Hashable, Sendable {
    /// What a request costs of `spansPerSecond`: its own span and those of queue, tunnel and origin.
    package static let spansOfRequest = 4

    /// Of the traces that begin here, how many of one: 0 to 1.
    package var ratio: Double
    /// Whether a caller's request for spans counts, whoever he is; else a trusted proxy's alone.
    package var callersMaySample: Bool
    /// Most spans of a second, on average; as many may come at once.
    package var spansPerSecond: Int

    package init(ratio: Double = 1, callersMaySample: Bool = true, spansPerSecond: Int = 1000) {
        self.ratio = ratio
        self.callersMaySample = callersMaySample
        self.spansPerSecond = spansPerSecond
    }

    /// Whether a trace is one of those that are kept: all who decide by its id decide alike.
    ///
    /// - Parameter random: of which 56 bits count (W3C Trace Context, level 2, §5.1.2).
    package func keeps(_ random: UInt64) -> Bool {
        Double(random & 0xff_ffff_ffff_ffff) < ratio * 0x1p56
    }
}

/// How many spans may still be made: who calls for free must not fill a collector.
package struct SpanAllowance: Sendable {
    private var left: Double
    private var refilledAt: UInt64

    /// - Parameter now: in nanoseconds of any clock that does not go back.
    package init(_ sampling: TraceSampling, now: UInt64) {
        left = Double(max(sampling.spansPerSecond, TraceSampling.spansOfRequest))
        refilledAt = now
    }

    /// Whether there is enough for one more request; then it is taken.
    package mutating func take(_ sampling: TraceSampling, now: UInt64) -> Bool {
        let cost = Double(TraceSampling.spansOfRequest)
        let passed = Double(now > refilledAt ? now - refilledAt : 0) / 1e9
        refilledAt = max(now, refilledAt)
        left = min(
            left + passed * Double(sampling.spansPerSecond), max(Double(sampling.spansPerSecond), cost))
        guard left >= cost else { return false }
        left -= cost
        return true
    }
}
