package import AgentStatus
package import Observability

/// What the admin API asks of the agent.
package protocol AgentControl: AgentActions {
    var events: Feed<AgentEvent> { get }
    /// Requests that are over, while somebody has subscribed.
    var requests: Feed<EndedRequest> { get }
    /// Lines of its log.
    var logs: LogFeed { get }
    /// - Parameters:
    ///   - name: of the connected tokens, only those of that name; nil for all.
    ///   - most: tunnels that are told of; how many more there are is.
    func snapshot(ofTunnel name: String?, most: Int) async -> AgentSnapshot
    /// The tunnel servers in the order of their names, without what leads to them.
    func servers() async -> [ServerSnapshot]
    /// One tunnel server, that in force rather than one that leaves; nil where there is none of that name.
    func server(_ name: String) async -> ServerSnapshot?
    /// Some of the tunnels whose client it is, in the order of their names.
    func tunnels(_ part: TunnelPart) async -> TunnelList
    /// One of them, that in force rather than one that leaves; nil where there is none of that name.
    func tunnel(_ name: String) async -> TunnelSnapshot?
    /// Whether it does what it is there for, and if not, why: nothing secret. Costs little: anybody may ask.
    func readiness() async -> ReadinessSnapshot
    /// Every session, in the order of servers and tunnels.
    func sessions() async -> [SessionSnapshot]
    /// The configuration in force as a file would say it, secrets as `***`.
    func configuration() async -> String
    /// Reads the configuration file as a reload would, and tells what that would do. Nothing changes.
    func plan() async -> PlanReport
    /// Applies the configuration file; returns when that is done or refused.
    func reload() async -> ReloadSnapshot
    /// The addresses that its servers have shut out.
    func bans() async -> [BanSnapshot]
    /// Lets an address in again, or everybody.
    ///
    /// - Parameter address: nil for all.
    /// - Returns: how many bans end by it.
    func unban(_ address: String?) async -> Int
    /// Tells what would become of a request. Nothing changes.
    ///
    /// - Throws: where the query makes no sense here, or too many are at it.
    func explain(_ query: ExplanationQuery) async throws(ActionError) -> ExplanationSnapshot
    /// A page of what is counted. Who asks while another does for the same has the same page.
    ///
    /// - Returns: nil where the agent ends.
    func metrics(_ question: MetricsQuestion) async -> MetricsAnswer?
    /// What happened, as far as that is kept.
    ///
    /// - Throws: where it cannot be told now.
    func history(_ query: HistoryQuery) async throws(ActionError) -> HistoryPage
    /// What it knows of itself, for a bug report, and what takes the secrets out of it: in texts of others there may be some.
    func diagnostics() async -> (snapshot: DiagnosticSnapshot, redaction: Redaction)
    /// Lets another process take this one's place: gives up what only one can have, then stops as a signal would.
    ///
    /// - Returns: false when it has done so before.
    func handOver() async -> Bool
}
