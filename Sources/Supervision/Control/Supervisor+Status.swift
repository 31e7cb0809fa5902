import AgentStatus
import Glibc
import HostSystem
import Reconciliation
import TunnelClient
import TunnelServer

extension Supervisor {
    /// What the agent is and does now.
    ///
    /// - Parameter name: of the connected tokens, only those of that name; nil for all.
    func snapshot(ofTunnel tunnel: String?) -> AgentSnapshot {
        var servers = self.servers.map { name, running in
            var server = running.server.snapshot(ofTunnel: tunnel)
            if repairs[name] != nil { server.state = .failed }
            return server
        }
        servers += leaving.servers.values.map { $0.running.server.snapshot(ofTunnel: tunnel) }
        var tunnels = self.tunnels.values.map(\.client.snapshot)
        tunnels += leaving.tunnels.values.map { name, running in
            var tunnel = running.client.snapshot
            // Its successor counts for both.
            if self.tunnels[name] != nil { tunnel.traffic = TrafficSnapshot() }
            return tunnel
        }
        for index in servers.indices {
            servers[index].traffic.requestsPerSecond = rates.rate(of: .server(servers[index].name))
        }
        for index in tunnels.indices {
            tunnels[index].traffic.requestsPerSecond = rates.rate(of: .tunnel(tunnels[index].name))
        }
        return AgentSnapshot(
            software: means.software, processID: Int(getpid()), configurationFile: means.configurationFile,
            phase: phase, startedAt: startedAt, takenAt: UnixTime.now, generation: machine.generation,
            lastReload: lastReload, servers: servers.sorted { $0.name < $1.name },
            tunnels: tunnels.sorted { $0.name < $1.name })
    }

    private var phase: AgentSnapshot.Phase {
        if machine.isStopping { return .stopping }
        if machine.isStarting { return .starting }
        return machine.isReloading ? .reloading : .running
    }

    /// Notes how much was carried, again and again, so that a status can tell how fast.
    func sampleTraffic() async {
        while (try? await Task.sleep(for: TrafficRates.interval)) != nil {
            var counts: [TrafficRates.Key: UInt64] = [:]
            for (name, running) in servers {
                counts[.server(name)] = running.server.traffic.requests
            }
            for (name, running) in tunnels {
                counts[.tunnel(name)] = running.client.traffic.requests
            }
            rates.add(counts, at: .now)
        }
    }
}
