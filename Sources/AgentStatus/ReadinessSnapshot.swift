/// Whether an agent does what it is there for. Holds no names: everybody may see it.
package struct ReadinessSnapshot: Codable, Hashable, Sendable {
    package var isReady: Bool
    /// Why it is not; empty where it is.
    package var reasons: [String]

    package init(reasons: [String] = []) {
        self.isReady = reasons.isEmpty
        self.reasons = reasons
    }
}
