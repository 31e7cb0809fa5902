import AgentStatus
import History
import Observability
import Reconciliation
import TunnelServer
import TunnelTransport

extension Supervisor {
    /// What it counts itself.
    var measures: AgentMeasures {
        var measures = AgentMeasures(
            version: String(means.software.split(separator: " ").last ?? ""), phase: machine.phase,
            generation: machine.generation)
        measures.reloads = reloads.counts
        measures.lastReload = reloads.last
        if let load = load.snapshot {
            measures.loadStage = load.stage
            measures.loads = load.measures.map {
                AgentMeasures.Load(resource: $0.name, used: $0.used, limit: $0.limit)
            }
        }
        measures.receiveBufferUsed = means.budget.used
        measures.receiveBufferLimit = means.budget.total
        measures.spilledBytes = SpillSpace.ofProcess.usedBytes
        measures.linesDropped = [("log", means.log.sink), ("syslog", means.log.syslog)]
            .compactMap { name, sink in sink.map { (sink: name, count: $0.droppedLines) } }
        measures.paused = machine.pauses.all
        measures.blockedTokens = means.blocked.count
        measures.webhooks = webhooks.snapshots ?? []
        measures.tracing = tracing.snapshot
        measures.history = history.snapshot
        measures.notListening = servers.broken
        return measures
    }
}
