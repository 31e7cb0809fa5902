/// What who asks the admin API may do: each role may do what those before it may.
package enum AdminRole: String, Sendable, CaseIterable, Comparable {
    /// See what the agent is and does.
    case look
    /// Change what it does until it is changed again: pause, drain, ban, reload.
    case operate
    /// See and change what only its owner should.
    case administer

    package static func < (one: AdminRole, other: AdminRole) -> Bool { one.rank < other.rank }

    private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
