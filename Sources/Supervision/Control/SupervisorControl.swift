import AdminAPI
import AgentStatus
import HostSystem
import Logging
import Reconciliation
import TunnelConfiguration

/// What the admin API asks, asked of the supervisor.
struct SupervisorControl: AgentControl {
    let supervisor: Supervisor

    func snapshot(ofTunnel name: String?) async -> AgentSnapshot { await supervisor.snapshot(ofTunnel: name) }
    func plan() async -> PlanReport { await supervisor.planNow() }
    func reload() async -> ReloadSnapshot { await supervisor.reloadNow() }
    func handOver() async -> Bool { await supervisor.handOver() }
}

extension Supervisor {
    private static let mostPlans = 4

    func planNow() async -> PlanReport {
        guard let file else { return PlanReport(plan: PlanSnapshot()) }
        // Who asks and leaves must not leave a row of readings behind.
        guard plansUnderWay < Self.mostPlans else {
            return PlanReport(plan: nil, errors: ["several plans are being made already — ask again"])
        }
        plansUnderWay += 1
        defer { plansUnderWay -= 1 }
        guard let report = await means.plans.run(file.load) else {
            return PlanReport(plan: nil, errors: ["the agent is stopping"])
        }
        let plan = report.configuration.map { ReloadPlan(running: machine.running, desired: $0) }
        var errors = report.lines(.error)
        if let plan {
            let (ground, means) = (ground, means)
            errors +=
                await means.plans.run { Preparation.listenerFaults(plan, on: ground, with: means) } ?? []
        }
        return PlanReport(
            plan: errors.isEmpty ? plan?.snapshot : nil, errors: errors, warnings: report.lines(.warning))
    }

    func reloadNow() async -> ReloadSnapshot {
        guard !isOver else { return refusalAtTheEnd }
        lastTicket += 1
        let ticket = lastTicket
        return await withCheckedContinuation { continuation in
            waiting[ticket] = continuation
            mailbox.yield(.reloadRequested(ReloadRequest(.api, ticket: ticket)))
        }
    }

    func handOver() async -> Bool {
        guard !isOver, !hasHandedOver else { return false }
        hasHandedOver = true
        logger.notice("Handing over to another process: requests in flight are finished", metadata: [:])
        pidfile?.remove()
        pidfile = nil
        let admin = control.admin
        control.stop()
        // A second request to stop would cut what is in flight.
        if !machine.isStopping { mailbox.yield(.stopRequested) }
        // The other process binds its port next.
        await admin?.untilClosed()
        return true
    }
}
