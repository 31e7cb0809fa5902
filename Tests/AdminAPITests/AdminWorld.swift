import AdminAPI
import AgentStatus
import Glibc
import Logging
import NIOCore
import NIOPosix
import Observability
import Synchronization
import TestSupport
import TunnelConfiguration

/// An agent that answers what the test says.
final class FakeAgent: AgentControl {
    struct Answers: Sendable {
        var reload = ReloadSnapshot.Outcome.applied
        var hasPlan = true
        var handsOver = true
        var software = "test 1"
        /// Why it is not ready.
        var faults: [String] = []
        var servers: [ServerSnapshot] = []
        var tunnels: [TunnelSnapshot] = []
        var sessions: [SessionSnapshot] = []
        var secrets = ["secret-of-the-tests"]
        /// What a reload waits for.
        var reloadGate: Gate?
    }

    let events = Feed<AgentEvent>(capacity: 8, beginningBehind: 1000)
    let requests = Feed<EndedRequest>(capacity: 8)
    let log: AgentLog
    var logs: LogFeed { log.logs }
    let answers: Mutex<Answers>
    /// Who has paused something.
    let askers = Mutex<[String]>([])
    /// What was asked of the history.
    let historyQueries = Mutex<[HistoryQuery]>([])
    /// Reloads that have begun.
    let reloads = WaitableCounter()
    /// Questions for the status.
    let snapshots = WaitableCounter()

    init(_ answers: Answers = Answers()) throws {
        self.answers = Mutex(answers)
        log = AgentLog(sink: try LogSink(path: "/dev/null"))
    }

    deinit { log.close() }

    /// Something happens.
    func tell(_ event: AgentEvent) {
        events.publish { id in
            var event = event
            event.id = id
            return event
        }
    }

    func tell(_ message: String) { tell(AgentEvent(.error, message: message)) }

    func bans() async -> [BanSnapshot] {
        [BanSnapshot(server: "public", address: "192.0.2.7", secondsLeft: 61, count: 2)]
    }

    func unban(_ address: String?) async -> Int { address == nil ? 7 : 1 }

    func readiness() async -> ReadinessSnapshot { ReadinessSnapshot(reasons: answers.withLock { $0.faults }) }

    func sessions() async -> [SessionSnapshot] { answers.withLock { $0.sessions } }

    func configuration() async -> String { "version: 1\n" }

    func servers() async -> [ServerSnapshot] {
        answers.withLock { $0.servers }.map { server in
            var server = server
            (server.connected, server.moreConnected, server.names, server.moreNames) = (nil, nil, nil, nil)
            return server
        }
    }

    func server(_ name: String) async -> ServerSnapshot? {
        answers.withLock { $0.servers.first { $0.name == name } }
    }

    func tunnels(_ part: TunnelPart) async -> TunnelList {
        let fitting = answers.withLock {
            $0.tunnels.filter { part.takes(name: $0.name) && part.takes($0.state) }
        }
        return TunnelList(tunnels: part.slice(of: fitting), total: fitting.count)
    }

    func tunnel(_ name: String) async -> TunnelSnapshot? {
        answers.withLock { $0.tunnels.first { $0.name == name } }
    }

    func snapshot(ofTunnel name: String?, most: Int) async -> AgentSnapshot {
        snapshots.add(1)
        let tunnels = answers.withLock { $0.tunnels }
        var snapshot = AgentSnapshot(
            software: name ?? answers.withLock { $0.software }, processID: 7,
            configurationFile: "tunnels.yaml", phase: .running,
            startedAt: 1,
            takenAt: 2, generation: 3, servers: answers.withLock { $0.servers },
            tunnels: Array(tunnels.prefix(most)))
        if tunnels.count > most { snapshot.moreTunnels = tunnels.count - most }
        return snapshot
    }

    func plan() async -> PlanReport {
        PlanReport(
            plan: answers.withLock { $0.hasPlan } ? PlanSnapshot(notes: ["a note"]) : nil,
            warnings: ["a warning"])
    }

    func reload() async -> ReloadSnapshot {
        let (outcome, gate) = answers.withLock { ($0.reload, $0.reloadGate) }
        reloads.add(1)
        if let gate { try? await onThread { try gate.wait() } }
        return ReloadSnapshot(
            trigger: "api", finishedAt: 1, durationMilliseconds: 1, outcome: outcome, generation: 4)
    }

    func explain(_ query: ExplanationQuery) async throws(ActionError) -> ExplanationSnapshot {
        guard query.server == nil else { throw ActionError(400, "no such server") }
        return ExplanationSnapshot(
            source: .agent, request: "\(query.method) \(query.target)", steps: [],
            outcome: .init(.carried, "as asked"))
    }

    func metrics(_ question: MetricsQuestion) async -> MetricsAnswer? {
        let bytes = Array("# a page\n".utf8)
        guard question.isCompressed, let compressed = Gzip.compressed(bytes) else {
            return MetricsAnswer(
                bytes: ByteBuffer(bytes: bytes), format: question.format, isCompressed: false)
        }
        return MetricsAnswer(bytes: compressed, format: question.format, isCompressed: true)
    }

    func history(_ query: HistoryQuery) async throws(ActionError) -> HistoryPage {
        historyQueries.withLock { $0.append(query) }
        guard query.server != "slow" else { throw ActionError(503, "that took too long") }
        var page = HistoryPage(source: .memory)
        page.events = [
            HistoryEvent(id: 7, event: AgentEvent(.dialFailed, tunnel: query.tunnel, message: "as asked"))
        ]
        return page
    }

    func diagnostics() async -> (snapshot: DiagnosticSnapshot, redaction: Redaction) {
        let snapshot = DiagnosticSnapshot(
            process: .init(openFiles: 3), readiness: await readiness(),
            status: await snapshot(ofTunnel: nil, most: .max),
            configuration: await configuration(), plan: await plan(), sessions: await sessions(),
            events: events.read(after: 0).elements, warnings: logs.warnings.read(after: 0).elements)
        return (snapshot, Redaction(answers.withLock { $0.secrets }))
    }

    func handOver() async -> Bool { answers.withLock { $0.handsOver } }
}

/// A server of the admin API on a Unix socket and another on a port of 127.0.0.1, in this process.
final class AdminWorld: Sendable {
    static let token = "admin-test-token-0123456789"
    /// By the names that requests of the tests have in `Host`.
    static let usualAccess = AdminAccess.token(Secret(token), names: ["caller.test", "x", "a", "b", "h"])

    let folder: TemporaryFolder
    let agent: FakeAgent
    let port: Int
    let local: AdminServer
    let remote: AdminServer
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let running: Task<Void, Never>
    var path: String { folder.path(of: "agent.sock") }

    /// - Parameter access: to the port.
    init(
        _ answers: FakeAgent.Answers = .init(), access: AdminAccess = usualAccess,
        patience: Duration = .seconds(10)
    ) async throws {
        folder = try TemporaryFolder()
        agent = try FakeAgent(answers)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let held = try HeldSocket()
        port = held.port
        let local = try await AdminServer.start(
            on: try listeningSocket(at: folder.path(of: "agent.sock")), group: group, access: .localUser,
            control: agent, logger: logger, patience: patience)
        let remote = try await AdminServer.start(
            on: dup(held.descriptor), group: group, access: access, control: agent,
            logger: logger, patience: patience)
        (self.local, self.remote) = (local, remote)
        running = Task {
            async let first: Void = local.run()
            async let second: Void = remote.run()
            _ = await (first, second)
        }
    }

    func stop() async throws {
        local.stop()
        remote.stop()
        await running.value
        try await group.shutdownGracefully()
    }

    /// Runs a body that may block beside the servers, then stops them.
    func run<Value: Sendable>(_ body: @escaping @Sendable (AdminWorld) throws -> Value) async throws -> Value
    {
        let result = await Result { try await onThread { try body(self) } }
        try await stop()
        return try result.get()
    }

    /// Asks at the port.
    func ask(
        _ method: String, _ target: String, authorization: String? = "Bearer \(token)",
        fields more: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> HTTPResponse {
        let fields = (authorization.map { [("Authorization", $0)] } ?? []) + more
        return try HTTPConnection(port: port).exchange(method, target, fields: fields, body: body)
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

/// A Unix socket that listens.
func listeningSocket(at path: String, backlog: Int32 = 128) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard withLocalAddress(path, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, backlog) == 0 else {
        throw TestFailure("cannot listen at \(path): errno \(errno)")
    }
    return descriptor
}
