package import AgentStatus
import HostSystem
package import Observability
import OriginHTTP
import TunnelConfiguration

// What it has counted.
extension TunnelClient {
    /// Has the event loops say what tunnels have counted so far; of one that is too busy to answer at once, what it said
    /// before counts. Then their `lastMeasures` are fresh.
    package static func refreshMeasures(of clients: [TunnelClient]) async {
        await LoopCount.ask(clients.flatMap(\.identity.counts))
    }

    /// What it and those before it in its place have counted so far.
    package func measures() async -> TunnelMeasures {
        await Self.refreshMeasures(of: [self])
        return lastMeasures
    }

    /// What they had counted when their event loops were last asked.
    package var lastMeasures: TunnelMeasures {
        var measures = TunnelMeasures(name: setup.part { $0.configuration.name })
        for count in identity.counts { measures.add(count.lastTold) }
        let incidents = identity.incidents
        measures.dialFailures = incidents.dialFailures
        measures.sessionEnds = incidents.sessionEnds
        measures.sessions = lives.count { $0.isReady }
        measures.wanted = isPaused ? 0 : wantedConnections
        return measures
    }

    /// What they had carried when their event loops were last asked.
    package var traffic: TrafficSnapshot {
        var traffic = TrafficSnapshot()
        for count in identity.counts { traffic += count.lastTold.requests }
        return traffic
    }
}

extension TunnelMeasures {
    /// Adds what one event loop has counted.
    fileprivate mutating func add(_ loop: TunnelLoopMeasures) {
        requests += loop.requests
        inFlight += loop.inFlight
        roundTrip += loop.roundTrip
        originConnectionsBusy += loop.connections.busy
        originConnectionsIdle += loop.connections.idle
        originWaiting += loop.connections.waiting
        originErrors.merge(loop.originErrors, uniquingKeysWith: +)
    }
}
