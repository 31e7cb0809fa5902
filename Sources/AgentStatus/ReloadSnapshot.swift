/// What became of a reload.
package struct ReloadSnapshot: Codable, Hashable, Sendable {
    package enum Outcome: String, Codable, Hashable, Sendable, CaseIterable {
        /// The configuration is in force.
        case applied
        /// The configuration says what runs already.
        case unchanged
        /// Something was wrong; what ran before runs on.
        case refused
    }

    /// What asked for it: `SIGHUP`, `api`, `watch`.
    package var trigger: String
    package var finishedAt: Int
    package var durationMilliseconds: Double
    package var outcome: Outcome
    /// In force after it.
    package var generation: Int
    package var plan: PlanSnapshot
    /// Why it was refused: `file:line:column: path: what is wrong — what to do`.
    package var errors: [String]
    package var warnings: [String]

    package init(
        trigger: String, finishedAt: Int, durationMilliseconds: Double, outcome: Outcome, generation: Int,
        plan: PlanSnapshot = PlanSnapshot(), errors: [String] = [], warnings: [String] = []
    ) {
        self.trigger = trigger
        self.finishedAt = finishedAt
        self.durationMilliseconds = durationMilliseconds
        self.outcome = outcome
        self.generation = generation
        self.plan = plan
        self.errors = errors
        self.warnings = warnings
    }
}

/// What a reload does, or would do.
package struct PlanSnapshot: Codable, Hashable, Sendable {
    package struct Action: Codable, Hashable, Sendable {
        package enum Verb: String, Codable, Hashable, Sendable, CaseIterable {
            case start, update, replace, stop
        }

        package enum Kind: String, Codable, Hashable, Sendable, CaseIterable {
            case agent, server, tunnel
        }

        package var verb: Verb
        package var kind: Kind
        /// Empty for the agent itself.
        package var name: String
        /// The keys that changed.
        package var changes: [String]

        package init(verb: Verb, kind: Kind, name: String, changes: [String] = []) {
            self.verb = verb
            self.kind = kind
            self.name = name
            self.changes = changes
        }
    }

    /// In the order in which they are carried out.
    package var actions: [Action]
    /// What will not come into force without a restart, in words.
    package var notes: [String]

    package init(actions: [Action] = [], notes: [String] = []) {
        self.actions = actions
        self.notes = notes
    }

    package var isEmpty: Bool { actions.isEmpty && notes.isEmpty }

    /// Actions that are named in a line.
    private static let mostInALine = 8

    /// What it does, in a line for people, as far as that is one.
    package var inALine: String {
        let named = actions.prefix(Self.mostInALine).map { action in
            let subject = ["\(action.verb.rawValue) \(action.kind.rawValue)", action.name]
                .filter { !$0.isEmpty }.joined(separator: " ")
            return action.changes.isEmpty
                ? subject : "\(subject) (\(action.changes.joined(separator: ", ")))"
        }
        let rest = actions.count - named.count
        return (named + (rest > 0 ? ["\(rest) more"] : [])).joined(separator: ", ")
    }
}

/// What a reload would do now.
package struct PlanReport: Codable, Hashable, Sendable {
    /// Nil when the configuration has errors: it would be refused.
    package var plan: PlanSnapshot?
    /// By what `wstunnel reload --plan` knows it, and `If-Match`; nil where there is no plan, or no agent that made it.
    package var etag: String?
    /// What is paused, and stays so where the plan leaves it; nil from agents that do not tell.
    package var paused: [PauseSnapshot]?
    package var errors: [String]
    package var warnings: [String]

    package init(
        plan: PlanSnapshot?, etag: String? = nil, paused: [PauseSnapshot]? = nil, errors: [String] = [],
        warnings: [String] = []
    ) {
        self.etag = etag
        self.paused = paused
        self.plan = plan
        self.errors = errors
        self.warnings = warnings
    }
}
