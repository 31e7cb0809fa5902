import Reconciliation
import TunnelClient
import TunnelConfiguration

/// A change of a tunnel for which all is there.
enum PreparedTunnel: Sendable {
    case start(name: String, TunnelClient)
    /// The client takes over from the one that runs.
    case replace(name: String, by: TunnelClient)
    /// Settings to be swapped in the client that runs, and in those that answer until it is up.
    case update([(client: TunnelClient, update: TunnelClient.PreparedUpdate)])
    case stop(name: String)
}

extension Preparer {
    /// Makes a client, or the settings for one that runs, for each tunnel that starts or changes.
    mutating func prepareTunnels() -> [PreparedTunnel] {
        let givenUp = ground.tunnels.filter { $0.value.hasGivenUp }
        let sources = assignClients(plan.tunnels, givenUp: Set(givenUp.keys))
        return plan.tunnels.compactMap { change in
            guard let tunnel = change.specification else { return .stop(name: change.name) }
            let current = ground.tunnels[tunnel.name]
            if sources[tunnel.name] == .kept, let current {
                let clients = [current] + (ground.predecessors[tunnel.name] ?? [])
                return findings.attempt {
                    .update(try clients.map { ($0, try $0.prepareUpdate(tunnel)) })
                }
            }
            let client = findings.attempt {
                try TunnelClient(
                    tunnel, group: means.group, log: means.log, budget: means.budget,
                    software: means.software, trust: means.trust, pacer: means.pacer, succeeding: current)
            }
            return client.map {
                current == nil ? .start(name: tunnel.name, $0) : .replace(name: tunnel.name, by: $0)
            }
        }
    }
}
