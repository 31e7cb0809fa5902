import AgentStatus
import HostSystem
import Observability
import Reconciliation
import TunnelConfiguration

// What the agent says of itself for a bug report.
extension SupervisorControl {
    @AgentActor func diagnostics() async -> (snapshot: DiagnosticSnapshot, redaction: Redaction) {
        let plan = await plan()
        let status = await snapshot(ofTunnel: nil, most: TunnelSnapshot.most)
        let usage = await supervisor.means.looks.run { ProcessUsage.now() }
        let snapshot = DiagnosticSnapshot(
            process: usage.map(DiagnosticSnapshot.Process.init) ?? .init(), readiness: readiness(),
            status: status, configuration: configuration(), plan: plan, sessions: sessions(),
            events: events.read(after: 0).elements, warnings: logs.warnings.read(after: 0).elements)
        return (snapshot, Redaction(supervisor.machine.running.secrets))
    }
}

extension DiagnosticSnapshot.Process {
    fileprivate init(_ usage: ProcessUsage) {
        self.init(
            residentBytes: usage.residentBytes, openFiles: usage.openFiles, mostFiles: usage.mostFiles,
            cpuMilliseconds: usage.cpu.map { $0 / 1000 })
    }
}
