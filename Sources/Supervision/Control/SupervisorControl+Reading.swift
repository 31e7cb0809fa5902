import AdminAPI
import AgentStatus
import Reconciliation
import TunnelClient
import TunnelConfiguration
import TunnelServer

// What the agent is and does, beside its status.
extension SupervisorControl {
    @AgentActor func readiness() -> ReadinessSnapshot {
        let machine = supervisor.machine
        guard !machine.isStopping else { return ReadinessSnapshot(reasons: ["the agent is stopping"]) }
        guard !machine.isStarting else { return ReadinessSnapshot(reasons: ["the agent is starting"]) }
        var reasons: [String] = []
        let silent = supervisor.servers.silentCount
        if silent > 0 {
            reasons.append("\(silent) of \(supervisor.servers.count) servers do not listen")
        }
        let tunnels = supervisor.tunnels
        let fault = TunnelReadiness.fault(
            machine.running.tunnels, isPaused: { machine.pauses.contains(.tunnel, $0) }, isUp: tunnels.isUp)
        if let fault { reasons.append(fault) }
        return ReadinessSnapshot(reasons: reasons)
    }

    // MARK: Servers and tunnels, a part of them at a time

    @AgentActor func servers() async -> [ServerSnapshot] {
        await supervisor.servers.refreshMeasures()
        return servers(.nothing)
    }

    @AgentActor func server(_ name: String) async -> ServerSnapshot? {
        await supervisor.servers.refreshMeasures()
        let servers = servers(.all) { $0 == name }
        return servers.first { $0.state != .draining } ?? servers.first
    }

    @AgentActor func servers(
        _ listing: TunnelServer.Listing, where isWanted: (String) -> Bool = { _ in true }
    ) -> [ServerSnapshot] {
        supervisor.servers.snapshots(listing, where: isWanted).map { server in
            var server = server
            server.traffic.requestsPerSecond = supervisor.rates.rate(of: .server(server.name))
            return server
        }
    }

    @AgentActor func tunnels(_ part: TunnelPart) async -> TunnelList {
        let named = supervisor.tunnels.entries(part.takes(name:))
        let fitting = part.asksForState ? named.filter { part.takes($0.client.shownState) } : named
        let wanted = part.slice(of: fitting)
        await TunnelClient.refreshMeasures(of: wanted.map(\.client))
        return TunnelList(tunnels: wanted.map(snapshot), total: fitting.count)
    }

    @AgentActor func tunnel(_ name: String) async -> TunnelSnapshot? {
        // One in force stands before those that leave.
        guard let entry = supervisor.tunnels.entries(of: name).first else { return nil }
        await TunnelClient.refreshMeasures(of: [entry.client])
        return snapshot(entry)
    }

    @AgentActor func snapshot(_ entry: RunningTunnels.Entry) -> TunnelSnapshot {
        var snapshot = entry.snapshot
        snapshot.traffic.requestsPerSecond = supervisor.rates.rate(of: .tunnel(entry.name))
        return snapshot
    }

    @AgentActor func sessions() -> [SessionSnapshot] {
        let ofServers = supervisor.servers.sessions.inOrder { one, other in
            if one.server != other.server { return one.server ?? "" < other.server ?? "" }
            return one.tunnel != other.tunnel ? one.tunnel < other.tunnel : one.id < other.id
        }
        return supervisor.tunnels.sessions + ofServers
    }

    @AgentActor func configuration() -> String {
        let running = supervisor.machine.running
        let file = supervisor.means.configurationFile
        return ConfigurationRendering.yaml(of: file.map { running.effective(readFrom: $0) } ?? running)
    }
}
