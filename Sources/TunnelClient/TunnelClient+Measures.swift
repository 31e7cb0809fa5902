import AgentStatus
package import Observability

// What it has counted.
extension TunnelClient {
    /// What it and those before it in its place have counted so far, from all event loops: of one that does not answer at
    /// once, what it last told.
    package func measures() async -> TunnelMeasures {
        let snapshot = snapshot
        var measures = TunnelMeasures(name: snapshot.name)
        measures.requests.began = snapshot.traffic.requests
        measures.requests.requestBytes = snapshot.traffic.requestBytes
        measures.requests.responseBytes = snapshot.traffic.responseBytes
        measures.sessions = snapshot.connections.count
        measures.wanted = snapshot.wanted
        return measures
    }
}
