import Reconciliation
import TestSupport
import Testing
import TunnelConfiguration

/// A configuration, and another that changes a tunnel of it.
enum TwoConfigurations {
    static let first = Examples.configuration(servers: ["public"], tunnels: ["web"])

    static var second: AgentConfiguration {
        var second = first
        second.tunnels[0].timeout = .seconds(9)
        return second
    }
}

/// A machine with what it last asked for.
struct DrivenMachine {
    var machine: SupervisorMachine
    private(set) var actions: [SupervisorMachine.Action]
    private(set) var reports: [SupervisorMachine.ReloadEnd] = []
    private var random = SplitMix64(seed: 1)

    init(_ configuration: AgentConfiguration) {
        machine = SupervisorMachine(initial: configuration, tagKey: 1)
        actions = machine.firstAction.map { [$0] } ?? []
    }

    /// One whose first configuration is in force.
    static func running(_ configuration: AgentConfiguration) -> DrivenMachine {
        var machine = DrivenMachine(configuration)
        machine.send(.prepared)
        machine.send(.committed)
        return machine
    }

    var lastReport: SupervisorMachine.ReloadEnd? { reports.last }

    mutating func send(_ event: SupervisorMachine.Event) {
        actions = machine.handle(event, using: &random)
        for case .report(let end) in actions { reports.append(end) }
    }

    /// A whole reload without a hitch.
    mutating func reload(to desired: AgentConfiguration) {
        send(.reloadRequested(ReloadRequest(.hangup)))
        send(.configurationRead(desired))
        send(.prepared)
        send(.committed)
    }
}

/// Carries out what a machine asks for, in random order and with random failures, and throws on what must not be:
/// two reads at once, a commit of what was not prepared, anything started twice, a ticket answered twice or never.
struct SupervisedWorld {
    private var driven: DrivenMachine
    private(set) var isOver = false
    private var isReading = false
    /// What was in force before, and is to be read in place of the file.
    private var recalled: AgentConfiguration?
    private var preparing: ReloadPlan?
    private var prepared: ReloadPlan?
    private var servers: [String: ServerConfiguration] = [:]
    private var tunnels: [String: TunnelClientConfiguration] = [:]
    private var timers: [(server: String, attempt: UInt64)] = []
    private var openTickets: Set<UInt64> = []
    private var lastTicket: UInt64 = 0
    private var isDraining = false
    private var lastRead: AgentConfiguration

    init(_ configuration: AgentConfiguration) {
        lastRead = configuration
        driven = DrivenMachine(configuration)
        if case .prepare(let plan) = driven.actions.first { preparing = plan }
    }

    /// One thing that may happen now.
    mutating func step(_ random: inout SplitMix64) throws {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1:
            lastTicket += 1
            openTickets.insert(lastTicket)
            let trigger: ReloadRequest.Trigger = Int.random(in: 0..<4, using: &random) == 0 ? .rollback : .api
            let plans: Set<String>? =
                Bool.random(using: &random) ? nil : [driven.machine.tag(of: lastRead).text]
            try send(.reloadRequested(ReloadRequest(trigger, ticket: lastTicket, plans: plans)))
        case 2, 3, 4:
            guard isReading else { return }
            isReading = false
            if let former = recalled {
                recalled = nil
                try send(.configurationRead(former))
            } else if Bool.random(using: &random) {
                lastRead = Examples.edited(driven.machine.running, &random)
                try send(.configurationRead(lastRead))
            } else {
                try send(.configurationRefused)
            }
        case 5, 6, 7:
            guard let plan = preparing else { return }
            preparing = nil
            if Int.random(in: 0..<4, using: &random) > 0 {
                prepared = plan
                try send(.prepared)
            } else {
                try send(.preparationFailed)
            }
        case 8:
            if let name = servers.keys.sorted().randomElement(using: &random) {
                try send(.listenerFailed(server: name))
            }
        case 9:
            guard !timers.isEmpty else { return }
            let timer = timers.remove(at: Int.random(in: 0..<timers.count, using: &random))
            try send(.restartDue(server: timer.server, attempt: timer.attempt))
        case 10:
            if let name = tunnels.keys.sorted().randomElement(using: &random) {
                try send(.tunnelGaveUp(name: name))
            }
        default:
            if Int.random(in: 0..<30, using: &random) == 0 { try send(.stopRequested) }
        }
    }

    /// Brings the world to its end; nobody may be left waiting.
    mutating func finish(_ random: inout SplitMix64) throws {
        if !isOver { try send(.stopRequested) }
        if !isOver { try send(.everythingEnded) }
        guard isOver else { throw TestFailure("the machine does not end") }
        guard openTickets.isEmpty else { throw TestFailure("tickets \(openTickets) were never answered") }
    }

    private mutating func send(_ event: SupervisorMachine.Event) throws {
        guard !isOver else { return }
        driven.send(event)
        for action in driven.actions { try carryOut(action) }
    }

    private mutating func carryOut(_ action: SupervisorMachine.Action) throws {
        switch action {
        case .read:
            guard !isReading, preparing == nil, prepared == nil, !isDraining else {
                throw TestFailure("a read beside another reload")
            }
            isReading = true
        case .recall(let former):
            guard !isReading, preparing == nil, prepared == nil, !isDraining else {
                throw TestFailure("a rollback beside another reload")
            }
            guard former == driven.machine.former else { throw TestFailure("back to something else") }
            recalled = former
            isReading = true
        case .prepare(let plan):
            guard preparing == nil, !isReading, !isDraining else { throw TestFailure("a second preparation") }
            preparing = plan
        case .discardPreparation: prepared = nil
        case .commit(let plan):
            guard prepared == plan else { throw TestFailure("a commit of what was not prepared") }
            prepared = nil
            try apply(plan.servers, to: &servers)
            try apply(plan.tunnels, to: &tunnels)
            try send(.committed)
            guard Set(servers.values) == Set(driven.machine.running.servers),
                Set(tunnels.values) == Set(driven.machine.running.tunnels)
            else { throw TestFailure("what runs is not what the machine thinks") }
        case .report(let end):
            for ticket in end.tickets {
                guard openTickets.remove(ticket) != nil else { throw TestFailure("ticket \(ticket) again") }
            }
        case .scheduleRestart(let server, let attempt, _):
            guard servers[server] != nil else { throw TestFailure("a restart of \(server), which is gone") }
            timers.append((server, attempt))
        case .restart(let server):
            guard servers[server] != nil, !isDraining else { throw TestFailure("\(server) does not run") }
            try send(.listenerFailed(server: server))
        case .drain:
            guard !isDraining else { throw TestFailure("drained twice") }
            isDraining = true
        case .cut: guard isDraining else { throw TestFailure("cut before it was drained") }
        case .exit: isOver = true
        }
    }

    private func apply<Spec: Specification>(
        _ changes: [Change<Spec>], to running: inout [String: Spec]
    ) throws {
        for change in changes {
            switch change {
            case .start(let spec):
                guard running.updateValue(spec, forKey: spec.name) == nil else {
                    throw TestFailure("\(spec.name) runs already")
                }
            case .update(let spec, _), .replace(let spec, _):
                guard running.updateValue(spec, forKey: spec.name) != nil else {
                    throw TestFailure("\(spec.name) does not run")
                }
            case .stop(let name):
                guard running.removeValue(forKey: name) != nil else {
                    throw TestFailure("\(name) does not run")
                }
            }
        }
    }
}
