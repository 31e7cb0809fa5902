package import AgentStatus
import FoundationEssentials
import HTTPMessage

// What an agent is told to do.
extension AdminClient {
    /// - Parameter plans: `PlanReport.etag`, where nothing else may be done.
    package func reload(ifPlanned plan: String) throws(AdminClientError) -> ReloadSnapshot {
        try ask(
            "POST", "/api/reload", ReloadSnapshot.self, fields: [("If-Match", "\"\(plan)\"")],
            patience: patience ?? Self.workPatience)
    }

    /// - Returns: without a plan where there is nothing to go back to.
    package func rollbackPlan() throws(AdminClientError) -> PlanReport {
        try ask(
            "GET", "/api/rollback", PlanReport.self, orStatus: 409, patience: patience ?? Self.answerPatience)
    }

    package func rollback(ifPlanned plan: String?) throws(AdminClientError) -> ReloadSnapshot {
        try ask(
            "POST", "/api/rollback", ReloadSnapshot.self,
            fields: plan.map { [("If-Match", "\"\($0)\"")] } ?? [],
            patience: patience ?? Self.workPatience)
    }

    /// - Parameters:
    ///   - name: made of what names are made of.
    ///   - isPaused: from now on.
    package func set(
        _ kind: PauseSnapshot.Kind, _ name: String, isPaused: Bool
    ) throws(AdminClientError) -> PauseReport {
        let place = "/api/\(kind.rawValue)s/\(PercentEncoding.encode(name))/\(isPaused ? "pause" : "resume")"
        return try ask("POST", place, PauseReport.self, patience: patience ?? Self.answerPatience)
    }

    package func end(session id: UInt64, isCut: Bool) throws(AdminClientError) -> SessionReport {
        try ask(
            "POST", "/api/sessions/\(id)/\(isCut ? "disconnect" : "drain")", SessionReport.self,
            patience: patience ?? Self.answerPatience)
    }

    package func logLevel() throws(AdminClientError) -> LogLevelSnapshot {
        try ask("GET", "/api/log-level", LogLevelSnapshot.self, patience: patience ?? Self.answerPatience)
    }

    package func setLogLevel(_ query: LogLevelQuery) throws(AdminClientError) -> LogLevelSnapshot {
        try ask(
            "POST", "/api/log-level", LogLevelSnapshot.self, body: Self.body(query),
            patience: patience ?? Self.answerPatience)
    }

    package func blockedTokens() throws(AdminClientError) -> [BlockedTokenSnapshot] {
        try ask(
            "GET", "/api/tokens/blocked", [BlockedTokenSnapshot].self,
            patience: patience ?? Self.answerPatience)
    }

    package func block(_ query: TokenBlockQuery) throws(AdminClientError) -> BlockedTokenSnapshot {
        try ask(
            "POST", "/api/tokens/block", BlockedTokenSnapshot.self, body: Self.body(query),
            patience: patience ?? Self.answerPatience)
    }

    /// - Returns: how many are served again.
    package func unblock(_ query: TokenBlockQuery) throws(AdminClientError) -> Int {
        let answer = try ask(
            "POST", "/api/tokens/unblock", [String: Int].self, body: Self.body(query),
            patience: patience ?? Self.answerPatience)
        return answer["unblocked"] ?? 0
    }

    /// What this process goes on with when it takes the agent's place.
    package func succession() throws(AdminClientError) -> SuccessionSnapshot {
        try ask(
            "GET", "/api/succession", SuccessionSnapshot.self, patience: patience ?? Self.answerPatience)
    }

    private static func body(_ query: some Encodable) -> [UInt8] {
        // Of texts alone: there is nothing that could fail.
        (try? JSONEncoder().encode(query)).map { [UInt8]($0) } ?? []
    }
}
