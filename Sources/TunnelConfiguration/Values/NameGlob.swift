/// A name in which `*` stands for any number of any characters.
package struct NameGlob: Hashable, Sendable, Comparable {
    package let text: String
    /// What stands between the stars.
    private let parts: [Substring]

    package init(_ text: String) {
        self.text = text
        parts = text.split(separator: "*", omittingEmptySubsequences: false)
    }

    /// Letter case does not count. Takes time in proportion to the length of both.
    package func matches(_ name: String) -> Bool {
        var rest = name.lowercased()[...]
        let parts = parts.map { $0.lowercased() }
        guard let first = parts.first, let last = parts.last else { return rest.isEmpty }
        guard parts.count > 1 else { return rest == first }
        guard rest.hasPrefix(first) else { return false }
        rest = rest.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let place = rest.firstRange(of: part) else { return false }
            rest = rest[place.upperBound...]
        }
        return rest.hasSuffix(last)
    }

    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}
