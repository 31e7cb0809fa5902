/// A tunnel or server of an agent that takes nothing new until it is resumed.
package struct PauseSnapshot: Codable, Hashable, Sendable {
    package enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
        case server, tunnel
    }

    package var kind: Kind
    package var name: String
    /// In seconds since 1970.
    package var since: Int
    /// Who asked for it, for people.
    package var by: String

    package init(_ kind: Kind, _ name: String, since: Int, by: String) {
        self.kind = kind
        self.name = name
        self.since = since
        self.by = by
    }
}

/// What came of asking that something is paused or resumed.
package struct PauseReport: Codable, Hashable, Sendable {
    package var kind: PauseSnapshot.Kind
    package var name: String
    /// From now on.
    package var isPaused: Bool
    /// False: it was so before.
    package var hasChanged: Bool

    package init(_ kind: PauseSnapshot.Kind, _ name: String, isPaused: Bool, hasChanged: Bool) {
        self.kind = kind
        self.name = name
        self.isPaused = isPaused
        self.hasChanged = hasChanged
    }
}
