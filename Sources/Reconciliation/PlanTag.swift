package import TunnelConfiguration

/// Names what a reload would do: another configuration, or another that is in force, is another plan. An entity tag of HTTP
/// (RFC 9110 §8.8.3).
///
/// It is a keyed hash: it tells nothing of the secrets in a configuration, and means nothing to another process.
package struct PlanTag: Hashable, Sendable {
    /// Without the quotes.
    package let text: String

    /// - Parameters:
    ///   - generation: of what is in force.
    ///   - key: random, the same for the life of the process.
    package init(_ desired: AgentConfiguration, after generation: Int, key: UInt64) {
        let halves = [key, ~key].map { key in
            var hasher = Hasher()
            hasher.combine(key)
            hasher.combine(generation)
            hasher.combine(desired)
            let digits = String(UInt64(UInt(bitPattern: hasher.finalize())), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        text = "g\(generation)-" + halves.joined()
    }
}
