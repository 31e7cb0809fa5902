/// Makes ids of traces and spans: unique among all that anybody makes, cheap, and no secret (xoshiro256++, Blackman and
/// Vigna). One for each event loop.
package struct TraceIDs: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    /// - Parameter seed: 256 random bits.
    package init(seed: (UInt64, UInt64, UInt64, UInt64)) {
        // Of nothing but zeros it would make nothing but zeros.
        state = (seed.0 | 1, seed.1, seed.2, seed.3)
    }

    package init(using generator: inout some RandomNumberGenerator) {
        self.init(seed: (generator.next(), generator.next(), generator.next(), generator.next()))
    }

    package mutating func next() -> UInt64 {
        let sum = state.0 &+ state.3
        let result = (sum << 23 | sum >> 41) &+ state.0
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = state.3 << 45 | state.3 >> 19
        return result
    }

    /// One of a span, which is never zero.
    package mutating func span() -> UInt64 { next() | 1 << 63 }
}
