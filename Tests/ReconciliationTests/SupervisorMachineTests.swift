import AgentStatus
import Reconciliation
import TestSupport
import Testing
import TunnelConfiguration

@Suite struct SupervisorMachineTests {
    private let first = Examples.configuration(servers: ["public"], tunnels: ["web"])

    /// A machine whose first configuration is in force.
    private func running() -> DrivenMachine {
        var machine = DrivenMachine(first)
        machine.send(.prepared)
        machine.send(.committed)
        return machine
    }

    @Test func theStartIsAReloadFromNothing() {
        var machine = DrivenMachine(first)
        #expect(machine.actions == [.prepare(ReloadPlan(running: AgentConfiguration(), desired: first))])
        machine.send(.prepared)
        #expect(machine.actions == [.commit(ReloadPlan(running: AgentConfiguration(), desired: first))])
        machine.send(.committed)
        #expect(machine.actions.isEmpty)
        #expect(machine.machine.generation == 1)
        #expect(machine.machine.running == first)
    }

    @Test func aStartThatCannotBePreparedEndsTheAgent() {
        var machine = DrivenMachine(first)
        machine.send(.preparationFailed)
        #expect(machine.actions == [.discardPreparation, .exit(.failedToStart)])
    }

    @Test func aReloadGoesThroughReadPrepareCommitAndReport() {
        var machine = running()
        var desired = first
        desired.tunnels[0].timeout = .seconds(9)
        let plan = ReloadPlan(running: first, desired: desired)
        machine.send(.reloadRequested(ReloadRequest(.api, ticket: 7)))
        #expect(machine.actions == [.read(.api)])
        machine.send(.configurationRead(desired))
        #expect(machine.actions == [.prepare(plan)])
        machine.send(.prepared)
        #expect(machine.actions == [.commit(plan)])
        machine.send(.committed)
        #expect(machine.actions.count == 1)
        #expect(machine.lastReport?.outcome == .applied)
        #expect(machine.lastReport?.generation == 2)
        #expect(machine.lastReport?.plan == plan)
        #expect(machine.lastReport?.trigger == .api)
        #expect(machine.lastReport?.tickets == [7])
        #expect(machine.machine.running == desired)
    }

    @Test func whateverFailsBeforeTheCommitLeavesWhatRuns() {
        var machine = running()
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        machine.send(.configurationRefused)
        #expect(machine.actions.count == 1)
        #expect(machine.lastReport?.outcome == .refused)
        #expect(machine.lastReport?.generation == 1)
        #expect(machine.machine.running == first)
        var desired = first
        desired.servers[0].port = 9
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        machine.send(.configurationRead(desired))
        machine.send(.preparationFailed)
        #expect(machine.actions.first == .discardPreparation)
        #expect(machine.machine.running == first)
        #expect(machine.machine.generation == 1)
        // And the next one is taken as if nothing had been.
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        #expect(machine.actions == [.read(.hangup)])
    }

    @Test func anUnchangedFileIsNoNewGeneration() {
        var machine = running()
        machine.reload(to: first)
        #expect(machine.lastReport?.outcome == .unchanged)
        #expect(machine.machine.generation == 1)
    }

    @Test func requestsDuringAReloadAreOneMoreReload() {
        var machine = running()
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        for ticket in 1...1000 {
            machine.send(
                .reloadRequested(ReloadRequest(ticket == 1 ? .api : .hangup, ticket: UInt64(ticket))))
            #expect(machine.actions.isEmpty)
        }
        machine.send(.configurationRead(first))
        machine.send(.prepared)
        machine.send(.committed)
        #expect(machine.actions.count == 2)
        #expect(machine.actions.last == .read(.api))
        machine.send(.configurationRead(first))
        machine.send(.prepared)
        machine.send(.committed)
        #expect(machine.actions.count == 1)
        #expect(machine.lastReport?.tickets.count == 1000)
    }

    @Test func aRequestDuringTheStartIsObeyedAfterIt() {
        var machine = DrivenMachine(first)
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        #expect(machine.actions.isEmpty)
        machine.send(.prepared)
        machine.send(.committed)
        #expect(machine.actions == [.read(.hangup)])
    }

    @Test func aStopDuringAReloadRefusesItAndDropsWhatWasPrepared() {
        var machine = running()
        machine.send(.reloadRequested(ReloadRequest(.api, ticket: 1)))
        machine.send(.reloadRequested(ReloadRequest(.api, ticket: 2)))
        var desired = first
        desired.servers[0].port = 9
        machine.send(.configurationRead(desired))
        machine.send(.stopRequested)
        #expect(machine.actions.first == .discardPreparation)
        #expect(machine.reports.suffix(2).flatMap(\.tickets) == [1, 2])
        #expect(machine.actions.last == .drain(grace: first.shutdownGrace))
        machine.send(.prepared)
        #expect(machine.actions == [.discardPreparation])
        machine.send(.reloadRequested(ReloadRequest(.api, ticket: 3)))
        #expect(machine.lastReport?.outcome == .refused)
        machine.send(.everythingEnded)
        #expect(machine.actions == [.exit(.stopped)])
    }

    @Test func theSecondStopCutsAndIsTold() {
        var machine = running()
        machine.send(.stopRequested)
        machine.send(.stopRequested)
        #expect(machine.actions == [.cut])
        machine.send(.everythingEnded)
        #expect(machine.actions == [.exit(.stoppedAtOnce)])
    }

    @Test func theEndOfTheGraceCutsAndIsAnOrderlyEnd() {
        var machine = running()
        machine.send(.stopRequested)
        machine.send(.graceOver)
        #expect(machine.actions == [.cut])
        machine.send(.everythingEnded)
        #expect(machine.actions == [.exit(.stopped)])
    }

    @Test func aBrokenListenerIsOpenedAgainAfterWaitsThatGrow() throws {
        var machine = running()
        var waits: [Duration] = []
        machine.send(.listenerFailed(server: "public"))
        for _ in 0..<40 {
            guard case .scheduleRestart("public", let attempt, let wait) = try #require(machine.actions.first)
            else {
                Issue.record("no restart: \(machine.actions)")
                return
            }
            waits.append(wait)
            machine.send(.restartDue(server: "public", attempt: attempt))
            #expect(machine.actions == [.restart(server: "public")])
            machine.send(.listenerFailed(server: "public"))
        }
        #expect(waits.allSatisfy { $0 <= .seconds(30) })
        #expect(waits[0] <= .milliseconds(250))
        #expect(waits.contains { $0 > .seconds(5) })
    }

    @Test func aTimerOfAListenerThatAReloadHasReplacedDoesNothing() {
        var machine = running()
        machine.send(.listenerFailed(server: "public"))
        guard case .scheduleRestart(_, let attempt, _) = machine.actions.first else {
            Issue.record("no restart")
            return
        }
        var desired = first
        desired.servers[0].port = 9
        machine.reload(to: desired)
        machine.send(.restartDue(server: "public", attempt: attempt))
        #expect(machine.actions.isEmpty)
    }

    @Test func anAgentAllOfWhoseTunnelsGaveUpEnds() {
        var machine = DrivenMachine(Examples.configuration(tunnels: ["a", "b"]))
        machine.send(.prepared)
        machine.send(.committed)
        machine.send(.tunnelGaveUp(name: "a"))
        #expect(machine.actions.isEmpty)
        machine.send(.tunnelGaveUp(name: "b"))
        #expect(machine.actions == [.drain(grace: .seconds(30))])
        machine.send(.everythingEnded)
        #expect(machine.actions == [.exit(.gaveUp)])
    }

    @Test func aTunnelThatAReloadStartsAnewHasNotGivenUp() {
        let before = Examples.configuration(tunnels: ["a", "b"])
        var machine = DrivenMachine(before)
        machine.send(.prepared)
        machine.send(.committed)
        machine.send(.tunnelGaveUp(name: "a"))
        var after = before
        after.tunnels[0].connections = 9
        machine.reload(to: after)
        machine.send(.tunnelGaveUp(name: "b"))
        #expect(machine.actions.isEmpty)
    }

    @Test func anAgentWithoutEntriesWaitsForAReload() {
        var machine = running()
        machine.reload(to: AgentConfiguration())
        #expect(machine.lastReport?.outcome == .applied)
        machine.reload(to: first)
        #expect(machine.machine.running == first)
    }

    /// A world in which everything happens at any time, and which stops at an action that must not be.
    @Test(arguments: 0..<300) func nothingIllegalEverHappens(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var world = SupervisedWorld(Examples.random(&random))
        for _ in 0..<400 where !world.isOver { try world.step(&random) }
        try world.finish(&random)
    }
}
