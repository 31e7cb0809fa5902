import AdminAPI
import AgentStatus
import Glibc
import HostSystem
import Logging
import NIOCore
import NIOPosix
import Observability
import TransportSecurity
import TunnelClient
import TunnelConfiguration

/// All that `wstunnel doctor` looks at, from the machine to the far ends of the tunnels.
struct Examination: Sendable {
    /// Tunnels that are looked at beside each other.
    private static let atOnce = 8
    /// Of a server's text that is repeated.
    private static let mostURLCharacters = 200

    let path: String
    let agent: AgentPlace
    /// Only the tunnel or server of this name; nil for all.
    let name: String?
    let software: String
    private let now = UnixTime.now

    init(of path: String, agent: AgentPlace, name: String?, software: String) {
        self.path = path
        self.agent = agent
        self.name = name
        self.software = software
    }

    /// - Parameter dials: whether servers, origins and URLs are asked; else only what is on this machine is looked at.
    func report(dials: Bool = true) async -> DoctorReport {
        let (status, agentFindings) = askAgent()
        let report = loadConfiguration(at: path, from: SystemConfigurationSource.ofAgent())
        var findings = MachineExamination.findings(for: report.configuration)
        findings += agentFindings + file(report)
        if let configuration = report.configuration {
            findings += await parts(of: configuration, status, dials: dials)
        }
        return DoctorReport(software: software, at: now, findings: findings)
    }

    private func file(_ report: ConfigurationReport) -> [DoctorReport.Finding] {
        let errors = report.lines(.error), warnings = report.lines(.warning)
        guard !errors.isEmpty || !warnings.isEmpty else {
            return [DoctorReport.Finding("configuration", "file", .ok, "\(path) is good")]
        }
        return errors.map {
            DoctorReport.Finding(
                "configuration", "file", .failed, $0, advice: "wstunnel check shows the place")
        } + warnings.map { DoctorReport.Finding("configuration", "file", .warning, $0) }
    }

    private func askAgent() -> (AgentSnapshot?, [DoctorReport.Finding]) {
        let begin = ContinuousClock.now
        do throws(AgentFault) {
            let status = try agent.attempt { client throws(AdminClientError) in try client.status() }
            let time = (ContinuousClock.now - begin) / .milliseconds(1)
            let words = "process \(status.processID) answers, generation \(status.generation)"
            let problems = status.problems.map { problem in
                DoctorReport.Finding("agent", problem.subject, .warning, problem.words)
            }
            return (
                status,
                [DoctorReport.Finding("agent", "control socket", .ok, words, milliseconds: time)] + problems
            )
        } catch {
            let words = error.words.split(separator: "\n").first.map(String.init) ?? error.words
            let isAway = if case .unreachable = error.reason { true } else { false }
            return (
                nil,
                [
                    DoctorReport.Finding(
                        "agent", "control socket", isAway ? .warning : .failed, words,
                        advice: "wstunnel --config \(path) starts it")
                ]
            )
        }
    }

    // MARK: Servers and tunnels

    private func parts(
        of configuration: AgentConfiguration, _ status: AgentSnapshot?, dials: Bool
    ) async -> [DoctorReport.Finding] {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let trust = TrustPool { SystemRoots.areThere(on: SystemConfigurationSource()) }
        let places = PlaceExamination(group, trust: trust, software: software, now: now)
        var findings: [DoctorReport.Finding] = []
        for server in configuration.servers where name == nil || server.name == name {
            findings += ServerExamination(server, status?.servers.first { $0.name == server.name }, now: now)
                .findings()
            guard dials, let url = server.routes.publicURL, let host = url.host else { continue }
            findings += await places.findings(
                "server \(server.name)", at: url.text(host: host, path: server.routes.basePath + "/"),
                isSecure: url.isSecure, host: host, port: url.port, target: server.routes.basePath + "/",
                isThroughTunnel: false)
        }
        if dials {
            let tunnels = configuration.tunnels.filter { name == nil || $0.name == name }
            findings += await examine(tunnels, status, places, group, trust)
        }
        try? await group.shutdownGracefully()
        return findings
    }

    private func examine(
        _ tunnels: [TunnelClientConfiguration], _ status: AgentSnapshot?, _ places: PlaceExamination,
        _ group: MultiThreadedEventLoopGroup, _ trust: TrustPool
    ) async -> [DoctorReport.Finding] {
        guard !tunnels.isEmpty, let sink = try? LogSink(path: "/dev/null") else { return [] }
        let log = AgentLog(sink: sink, level: .critical)
        defer { log.close() }
        var found: [Int: [DoctorReport.Finding]] = [:]
        await withTaskGroup(of: (Int, [DoctorReport.Finding]).self) { tasks in
            for (index, tunnel) in tunnels.enumerated() {
                if index >= Self.atOnce, let (index, findings) = await tasks.next() {
                    found[index] = findings
                }
                let snapshot = status?.tunnels.first { $0.name == tunnel.name }
                tasks.addTask {
                    do throws(TunnelClientError) {
                        let examination = try TunnelExamination(
                            tunnel, group: group, log: log, software: software, trust: trust,
                            now: now)
                        return (
                            index,
                            await examination.findings()
                                + (await urls(of: snapshot, serverHost: tunnel.tunnel.host, places))
                        )
                    } catch {
                        return (
                            index,
                            [DoctorReport.Finding("tunnel \(tunnel.name)", "tls", .failed, error.description)]
                        )
                    }
                }
            }
            for await (index, findings) in tasks { found[index] = findings }
        }
        return tunnels.indices.flatMap { found[$0] ?? [] }
    }

    /// What a running agent knows of a tunnel: its names, by which callers reach it, and what holds it up.
    private func urls(
        of tunnel: TunnelSnapshot?, serverHost: String, _ places: PlaceExamination
    ) async -> [DoctorReport.Finding] {
        guard let tunnel else { return [] }
        let subject = "tunnel \(tunnel.name)"
        var findings: [DoctorReport.Finding] = []
        if let reason = tunnel.longPollReason {
            findings.append(
                DoctorReport.Finding(
                    subject, "transport", .warning, "it goes by long polling: \(reason)",
                    advice: "have what stands between pass WebSockets on: long polling costs more"))
        }
        for host in tunnel.hosts ?? [] {
            guard let url = host.url else { continue }
            guard let place = GrantedPlace(url, claim: host.claim, serverHost: serverHost) else {
                let words = "the server says that \(host.claim) is at \(url.prefix(Self.mostURLCharacters))"
                findings.append(
                    DoctorReport.Finding(
                        subject, "request", .warning,
                        "\(words): not looked at, as nothing here vouches for that"))
                continue
            }
            findings += await places.findings(
                subject, at: place.url, isSecure: place.isSecure, host: place.host, port: place.port,
                target: "/", isThroughTunnel: true)
        }
        return findings
    }
}
