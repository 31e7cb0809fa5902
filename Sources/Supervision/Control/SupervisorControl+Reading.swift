import AgentStatus
import Reconciliation
import TunnelConfiguration

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

    @AgentActor func sessions() -> [SessionSnapshot] {
        (supervisor.servers.sessions + supervisor.tunnels.sessions).sorted {
            ($0.server ?? "", $0.tunnel, $0.id) < ($1.server ?? "", $1.tunnel, $1.id)
        }
    }

    @AgentActor func configuration() -> String {
        let running = supervisor.machine.running
        let file = supervisor.means.configurationFile
        return ConfigurationRendering.yaml(of: file.map { running.effective(readFrom: $0) } ?? running)
    }
}
