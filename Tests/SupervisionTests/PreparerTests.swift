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
        means = AgentMeans(
            group: .singleton, log: AgentLog(sink: try LogSink(fileDescriptor: STDERR_FILENO)),
            budget: ProcessReceiveBudget(), trust: TrustPool(), hasSystemRoots: { true },
            pacer: DialPacer(), software: "test",
            inherited: [:], configurationFile: nil, takesOver: false, reloads: Blocking())
    }

    private func prepare(
        _ desired: AgentConfiguration, running: AgentConfiguration = AgentConfiguration(),
        tunnels: [String: TunnelClient] = [:], exclusives: ExclusiveResources = ExclusiveResources()
    ) -> (preparation: Preparation?, findings: Findings) {
        let ground = PreparationGround(
            running: running, sockets: [:], tunnels: tunnels, predecessors: [:], hasLeavingServers: false,
            exclusives: exclusives, sources: [], isStart: false)
        var preparer = Preparer(ReloadPlan(running: running, desired: desired), on: ground, with: means)
        return (preparer.prepare(), preparer.findings)
    }

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
}
