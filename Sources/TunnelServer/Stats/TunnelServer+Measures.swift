import AgentStatus
package import Observability

// What it has counted.
extension TunnelServer {
    /// What it has counted so far, from all event loops: of one that does not answer at once, what it last told.
    package func measures() async -> ServerMeasures {
        var measures = ServerMeasures(name: core.name)
        let (load, size) = (core.load, core.connections.size)
        measures.requests.began = traffic.requests
        measures.requests.requestBytes = traffic.requestBytes
        measures.requests.responseBytes = traffic.responseBytes
        measures.waiting = load.waiting
        measures.tunnels = load.tunnels
        measures.callers = size.callers
        measures.sessions = size.sessions
        measures.banned = bans.count
        return measures
    }
}
