/// What an agent says of itself for a bug report. Where it is told, secrets are taken out (`Redaction`).
///
/// Property names are those of the JSON.
package struct DiagnosticSnapshot: Codable, Hashable, Sendable {
    /// Most events, and most sessions.
    package static let mostRows = 500

    /// What the process uses.
    package struct Process: Codable, Hashable, Sendable {
        /// Nil where the system does not tell, here and below.
        package var residentBytes: Int?
        package var openFiles: Int
        package var mostFiles: Int?
        /// Processor time of all threads since its start.
        package var cpuMilliseconds: Int64?

        package init(
            residentBytes: Int? = nil, openFiles: Int = 0, mostFiles: Int? = nil,
            cpuMilliseconds: Int64? = nil
        ) {
            self.residentBytes = residentBytes
            self.openFiles = openFiles
            self.mostFiles = mostFiles
            self.cpuMilliseconds = cpuMilliseconds
        }
    }

    package var process: Process
    package var readiness: ReadinessSnapshot
    package var status: AgentSnapshot
    /// That in force, as a `tunnels.yaml`.
    package var configuration: String
    /// What a reload would do now.
    package var plan: PlanReport
    /// `mostRows` at most, in the order of servers and tunnels.
    package var sessions: [SessionSnapshot]
    /// How many there are.
    package var sessionCount: Int
    /// The latest, `mostRows` at most.
    package var events: [AgentEvent]
    /// The latest lines of the log that are warnings, or worse.
    package var warnings: [LogEntry]

    package init(
        process: Process, readiness: ReadinessSnapshot, status: AgentSnapshot, configuration: String,
        plan: PlanReport, sessions: [SessionSnapshot], events: [AgentEvent], warnings: [LogEntry]
    ) {
        self.process = process
        self.readiness = readiness
        self.status = status
        self.configuration = configuration
        self.plan = plan
        self.sessions = Array(sessions.prefix(Self.mostRows))
        self.sessionCount = sessions.count
        self.events = events.suffix(Self.mostRows)
        self.warnings = warnings
    }
}
