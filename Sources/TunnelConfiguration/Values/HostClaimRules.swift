package import TunnelProtocol

/// Which names tunnel clients may have for the asking: `host-claims` of a server.
package struct HostClaimRules: Hashable, Sendable {
    /// What holds for one token in place of what holds for all.
    package struct OfToken: Hashable, Sendable {
        /// Names and patterns of names; nil: those that all may have.
        package var allowed: Set<HostGlob>?
        /// Most names at once; nil: as many as all may have.
        package var most: Int?

        package init(allowed: Set<HostGlob>? = nil, most: Int? = nil) {
            self.allowed = allowed
            self.most = most
        }
    }

    /// In lower case: a claim without a dot is for a name right below it.
    package var domain: String?
    /// Names and patterns of names that any token may have.
    package var allowed: Set<HostGlob>
    /// Those that only a token whose own entry allows them may have.
    package var reserved: Set<HostGlob>
    /// Most names of one token at once.
    package var most: Int
    package var tokens: [RendezvousToken: OfToken]

    package init(
        domain: String? = nil, allowed: Set<HostGlob> = [], reserved: Set<HostGlob> = [], most: Int = 10,
        tokens: [RendezvousToken: OfToken] = [:]
    ) {
        self.domain = domain
        self.allowed = allowed
        self.reserved = reserved
        self.most = most
        self.tokens = tokens
    }
}

/// A host name, or a pattern of some: in each label `*` stands for any number of characters, but never for a dot.
package struct HostGlob: Hashable, Sendable, Comparable {
    /// In lower case.
    package let text: String
    private let labels: [NameGlob]

    package init(_ text: String) {
        self.text = text.lowercased()
        labels = self.text.split(separator: ".", omittingEmptySubsequences: false).map {
            NameGlob(String($0))
        }
    }

    /// Whether it is one name.
    package var isExact: Bool { !text.contains("*") }

    package func matches(_ name: String) -> Bool {
        guard !isExact else { return name == text }
        let names = name.split(separator: ".", omittingEmptySubsequences: false)
        return names.count == labels.count && zip(labels, names).allSatisfy { $0.matches(String($1)) }
    }

    package static func < (one: Self, other: Self) -> Bool { one.text < other.text }
}
