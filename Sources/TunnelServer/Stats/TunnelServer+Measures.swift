package import AgentStatus
import HostSystem
package import Observability

// What it has counted.
extension TunnelServer {
    /// Has the event loops say what servers have counted so far; of one that is too busy to answer at once, what it said
    /// before counts. Then their `lastMeasures` are fresh.
    package static func refreshMeasures(of servers: [TunnelServer]) async {
        await LoopCount.ask(servers.flatMap(\.core.counts))
    }

    /// What it has counted so far.
    package func measures() async -> ServerMeasures {
        await Self.refreshMeasures(of: [self])
        return lastMeasures
    }

    /// What it had counted when its event loops were last asked.
    package var lastMeasures: ServerMeasures {
        var measures = ServerMeasures(name: core.name)
        for count in core.counts { measures.add(count.lastTold) }
        let (load, size, incidents) = (core.load, core.connections.size, core.incidents.counts)
        measures.waiting = load.waiting
        measures.tunnels = load.tunnels
        measures.callers = size.callers
        measures.sessions = size.sessions
        measures.handshakeFailures = incidents.handshakeFailures
        measures.sessionEnds = incidents.sessionEnds
        measures.refusals.merge(incidents.refusedConnections, uniquingKeysWith: +)
        // Those of a port are its server's.
        guard core.settings.tcp == nil else { return measures }
        for (limit, count) in core.meter.limitsReached { measures.limitsReached["\(limit)"] = count }
        measures.bans = core.bans.count
        measures.banned = core.bans.all.count
        return measures
    }

    /// What it had carried when its event loops were last asked.
    package var traffic: TrafficSnapshot {
        var traffic = TrafficSnapshot()
        var failed: UInt64 = 0
        for count in core.counts {
            let requests = count.lastTold.requests
            traffic += requests
            failed += requests.statuses[500...].reduce(0, +)
        }
        traffic.failedRequests = failed
        return traffic
    }
}
