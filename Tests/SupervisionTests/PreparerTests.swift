import Foundation
import HostSystem
import NIOPosix
import Observability
import Reconciliation
import TestSupport
import Testing
import TunnelClient
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

@testable import Supervision

/// What is prepared for a plan, and that nothing is left of what is dropped.
@Suite(.timeLimit(.minutes(1))) struct PreparerTests {
    private let folder: TemporaryFolder
    private let means: AgentMeans

    init() throws {
        folder = try TemporaryFolder()
        means = try Self.means(hasSystemRoots: true)
    }

    private static func means(hasSystemRoots: Bool) throws -> AgentMeans {
        AgentMeans(
            group: .singleton, log: AgentLog(sink: try LogSink(fileDescriptor: STDERR_FILENO)),
            budget: ProcessReceiveBudget(), trust: TrustPool(), hasSystemRoots: { hasSystemRoots },
            pacer: DialPacer(), software: "test",
            inherited: [:], configurationFile: nil, takesOver: false, reloads: Blocking())
    }

    private func prepare(
        _ desired: AgentConfiguration, running: AgentConfiguration = AgentConfiguration(),
        tunnels: [String: TunnelClient] = [:], exclusives: ExclusiveResources = ExclusiveResources()
    ) -> (preparation: Preparation?, findings: Findings) {
        let ground = ground(running, tunnels: tunnels, exclusives: exclusives)
        var preparer = Preparer(ReloadPlan(running: running, desired: desired), on: ground, with: means)
        return (preparer.prepare(), preparer.findings)
    }

    private func ground(
        _ running: AgentConfiguration, tunnels: [String: TunnelClient] = [:],
        exclusives: ExclusiveResources = ExclusiveResources(), sources: [String] = []
    ) -> PreparationGround {
        PreparationGround(
            running: running, sockets: [:], tunnels: tunnels, predecessors: [:], hasLeavingServers: false,
            exclusives: exclusives, sources: sources, isStart: false)
    }

    /// What a plan that somebody wants to see says of it.
    private func trial(
        _ desired: AgentConfiguration, running: AgentConfiguration = AgentConfiguration(),
        sources: [String] = [], hasSystemRoots: Bool = true
    ) throws -> Findings {
        Preparer.trial(
            ReloadPlan(running: running, desired: desired), on: ground(running, sources: sources),
            with: try Self.means(hasSystemRoots: hasSystemRoots))
    }

    private static let badTrust = PeerTrust(certificates: CertificateFile(path: "/ca.pem", pem: [1]))

    private func tunnel(_ port: Int, timeout: Duration = .seconds(30)) throws -> TunnelClientConfiguration {
        var tunnel = TunnelClientConfiguration(
            name: "web", tunnel: TunnelURL(isSecure: false, host: "127.0.0.1", port: port), origin: .echo,
            token: try RendezvousToken("a-token-of-the-tests"))
        tunnel.maxRetries = 1
        tunnel.timeout = timeout
        return tunnel
    }

    @Test func allIsThereAndGoesAgainWhenItIsDropped() throws {
        let port = try freePort()
        let wanted = AgentConfiguration(
            pidfile: folder.path(of: "pid"), controlSocket: folder.path(of: "control"),
            servers: [ServerConfiguration(name: "public", host: "127.0.0.1", port: port)])
        do {
            let (preparation, findings) = prepare(wanted)
            let prepared = try #require(preparation)
            #expect(findings.faults == [] && findings.warnings == [])
            guard case .start(_, let security, let socket, nil) = try #require(prepared.servers.first) else {
                Issue.record("\(prepared.servers)")
                return
            }
            #expect(socket.port == port && security.tls == nil)
            #expect(try folder.text(of: "pid") == "\(getpid())\n")
            #expect(prepared.exclusives.controlSocket?.isAt(folder.path(of: "control")) == true)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
        _ = try ListeningSocket.reserve(for: "test", host: "127.0.0.1", port: port)
    }

    @Test func allFaultsAreToldAndNothingIsLeft() throws {
        let taken = try ListeningSocket.reserve(for: "test", host: "127.0.0.1", port: 0)
        try taken.listen()
        let (preparation, findings) = prepare(
            AgentConfiguration(
                pidfile: folder.path(of: "pid"), controlSocket: folder.path(of: "none/control"),
                servers: [ServerConfiguration(name: "public", host: "127.0.0.1", port: taken.port)]))
        #expect(preparation == nil)
        #expect(findings.faults.count == 2)
        #expect(findings.faults.contains { $0.hasPrefix("servers[public]: cannot listen") })
        #expect(findings.faults.contains { $0.hasPrefix("control-socket: ") })
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }

    @Test func whatIsHeldAlreadyStays() throws {
        let path = folder.path(of: "control")
        let held = ExclusiveResources(
            pidfile: try Pidfile(path: folder.path(of: "pid")),
            automaticSocket: try BoundControlSocket(path: path))
        let wanted = AgentConfiguration(pidfile: folder.path(of: "pid"), controlSocket: path)
        let preparation = try #require(prepare(wanted, exclusives: held).preparation)
        #expect(preparation.exclusives.pidfile === held.pidfile)
        #expect(preparation.exclusives.automaticSocket === held.automaticSocket)
        // It is the same one.
        #expect(preparation.exclusives.controlSocket == nil)
    }

    @Test func aTunnelIsChangedInPlaceUnlessItGaveUp() async throws {
        let port = try freePort()
        let before = try tunnel(port)
        let running = AgentConfiguration(tunnels: [before])
        let wanted = AgentConfiguration(tunnels: [try tunnel(port, timeout: .seconds(5))])
        let client = try TunnelClient(
            before, group: means.group, log: means.log, budget: means.budget, software: "test")
        let update = try #require(prepare(wanted, running: running, tunnels: ["web": client]).preparation)
        guard case .update(let updates) = try #require(update.tunnels.first) else {
            Issue.record("\(update.tunnels)")
            return
        }
        #expect(updates.map(\.client).elementsEqual([client], by: ===))

        #expect(await client.run() == .gaveUp)
        let renewal = try #require(prepare(wanted, running: running, tunnels: ["web": client]).preparation)
        guard case .replace("web", let successor) = try #require(renewal.tunnels.first) else {
            Issue.record("\(renewal.tunnels)")
            return
        }
        #expect(successor !== client)
    }

    @Test func aCollectorThatCannotBeUsedRefusesAPlan() throws {
        let secure = OriginURL(isSecure: true, host: "collector.test", port: 4318)
        var bad = AgentConfiguration()
        bad.tracing = TracingConfiguration(collector: secure, trust: Self.badTrust)
        let (preparation, findings) = prepare(bad)
        #expect(preparation == nil && findings.faults.count == 1)
        #expect(findings.faults[0].hasPrefix("tracing: cannot read certificates from /ca.pem"))
        // What runs already is not looked at again.
        #expect(prepare(bad, running: bad).findings.faults == [])
        var good = AgentConfiguration()
        good.tracing = TracingConfiguration(collector: secure)
        #expect(prepare(good).preparation?.tracing?.configuration == good.tracing)
        let rootless = try trial(good, hasSystemRoots: false).faults
        #expect(rootless.count == 1 && rootless[0].contains("install ca-certificates"))
    }

    /// A plan that somebody wants to see has the faults of a reload, and leaves nothing.
    @Test func aTrialFindsWhatAReloadFinds() throws {
        let secure = OriginURL(isSecure: true, host: "collector.test", port: 4318)
        let usage = try folder.write("a text", to: "usage")
        let hook = WebhookConfiguration(
            name: "pager", url: WebhookURL(isSecure: true, host: "h", port: 443), secret: Secret("s"),
            trust: Self.badTrust)
        var edge = try tunnel(443)
        edge.trust = Self.badTrust
        let history = folder.path(of: "none/history.db")
        var wanted = AgentConfiguration(
            pidfile: folder.path(of: "pid"), usageFile: usage,
            controlSocket: folder.path(of: "control"), tunnels: [edge])
        wanted.tracing = TracingConfiguration(collector: secure, trust: Self.badTrust)
        wanted.webhooks = [hook]
        wanted.history = HistoryConfiguration(file: history)
        let told = try trial(wanted)
        let refused = prepare(wanted)
        #expect(refused.preparation == nil)
        #expect(told.faults.sorted() == refused.findings.faults.sorted())
        #expect(told.warnings == refused.findings.warnings)
        #expect(told.faults.count == 4)
        for place in ["tracing: ", "webhooks[pager]: ", "usage-file: "] {
            #expect(told.faults.contains { $0.hasPrefix(place) }, "\(place): \(told.faults)")
        }
        #expect(told.warnings.count == 1)
        #expect(told.warnings.first?.hasPrefix("history.file: cannot write \(history): ") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["usage"])
        let source = try folder.write("", to: "included.yaml")
        var included = AgentConfiguration()
        included.history = HistoryConfiguration(file: source)
        let fault = try trial(included, sources: [source]).faults
        #expect(fault.count == 1 && fault[0].contains("is a file of the configuration"))
        // Whose status file it is that runs is not looked at, nor written.
        var monitored = try tunnel(80)
        monitored.statusFile = folder.path(of: "status")
        let next = try folder.write("Unix: 1\n", to: "status.new")
        #expect(try trial(AgentConfiguration(tunnels: [monitored])).faults == [])
        #expect(try String(contentsOfFile: next, encoding: .utf8) == "Unix: 1\n")
        // Of what is as before, the status tells.
        #expect(try trial(wanted, running: wanted).warnings == [])
    }
}
