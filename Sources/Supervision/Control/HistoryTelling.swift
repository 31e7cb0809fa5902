import AgentStatus
import History
import Reconciliation
import TunnelConfiguration

extension HistoryKeeper: AgentService {
    @AgentActor func apply(
        _ plan: ReloadPlan, _ preparation: Preparation, in group: inout DiscardingTaskGroup
    ) {
        apply(plan.result.history)
    }

    @AgentActor func finish(within patience: Duration) async { await close() }
}

/// What the history is told of all servers and tunnels.
extension Supervisor {
    /// Of more tunnels than this it is told less often: each is looked at.
    private static let mostEachSecond = 1000

    /// What each has carried since it was made.
    var totals: HistoryTotals {
        HistoryTotals(servers: servers.traffic, tunnels: tunnels.traffic)
    }

    /// Tells of them again and again, until the task is cancelled.
    func tellTotals() async {
        while true {
            let isMany = servers.count + tunnels.count > Self.mostEachSecond
            guard (try? await Task.sleep(for: isMany ? .seconds(10) : .seconds(1))) != nil else { return }
            await refreshMeasures()
            history.add(totals)
        }
    }
}
