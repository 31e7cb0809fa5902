import AgentStatus
import Reconciliation
import TestSupport
import Testing
import TunnelConfiguration

/// Reloads that are to do what was looked at, and nothing else.
@Suite struct ReloadConditionTests {
    private let first = TwoConfigurations.first
    private let second = TwoConfigurations.second

    private func running() -> DrivenMachine { .running(first) }

    private func conditional(_ machine: DrivenMachine, on desired: AgentConfiguration, _ ticket: UInt64)
        -> SupervisorMachine.Event
    {
        .reloadRequested(
            ReloadRequest(.api, ticket: ticket, plans: [machine.machine.tag(of: desired).text]))
    }

    @Test func thePlanThatWasLookedAtIsCarriedOut() {
        var machine = running()
        machine.send(conditional(machine, on: second, 1))
        machine.send(.configurationRead(second))
        #expect(machine.actions == [.prepare(ReloadPlan(running: first, desired: second))])
        machine.send(.prepared)
        machine.send(.committed)
        #expect(machine.lastReport?.outcome == .applied && machine.lastReport?.tickets == [1])
    }

    @Test func anotherIsNotEvenPrepared() {
        var machine = running()
        machine.send(conditional(machine, on: second, 1))
        machine.send(.configurationRead(first))
        #expect(machine.actions.count == 1)
        #expect(machine.lastReport?.refusal == .planChanged && machine.lastReport?.tickets == [1])
        #expect(!machine.machine.isReloading)
        // And the next one is taken as if nothing had been.
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        #expect(machine.actions == [.read(.hangup)])
    }

    @Test func thePlanIsAnotherOnceSomethingElseIsInForce() {
        var machine = running()
        let event = conditional(machine, on: second, 1)
        var third = first
        third.tunnels[0].timeout = .seconds(10)
        machine.reload(to: third)
        machine.send(event)
        machine.send(.configurationRead(second))
        #expect(machine.lastReport?.refusal == .planChanged)
        #expect(machine.machine.running == third)
    }

    /// Requests that came together are one reload: each gets its due.
    @Test func whoAskedForWhateverThereIsGetsItBesideOneWhoDidNot() {
        var machine = running()
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        let stale = conditional(machine, on: first, 1)
        machine.send(stale)
        machine.send(.reloadRequested(ReloadRequest(.api, ticket: 2)))
        machine.send(.configurationRead(first))
        machine.send(.prepared)
        machine.send(.committed)
        #expect(machine.actions.last == .read(.api))
        machine.send(.configurationRead(second))
        #expect(machine.lastReport?.refusal == .planChanged && machine.lastReport?.tickets == [1])
        #expect(machine.actions.last == .prepare(ReloadPlan(running: first, desired: second)))
        machine.send(.prepared)
        machine.send(.committed)
        #expect(machine.lastReport?.outcome == .applied && machine.lastReport?.tickets == [2])
    }

    /// A signal has no ticket, and wants it nonetheless.
    @Test func aSignalBesideAStaleConditionIsObeyed() {
        var machine = running()
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        machine.send(conditional(machine, on: first, 1))
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        machine.send(.configurationRead(first))
        machine.send(.prepared)
        machine.send(.committed)
        machine.send(.configurationRead(second))
        #expect(machine.actions.last == .prepare(ReloadPlan(running: first, desired: second)))
    }

    @Test func aRollbackHasItsPlanToo() {
        var machine = running()
        machine.reload(to: second)
        machine.send(.reloadRequested(ReloadRequest(.rollback, ticket: 1, plans: ["another"])))
        #expect(machine.actions == [.recall(first)])
        machine.send(.configurationRead(first))
        #expect(machine.lastReport?.refusal == .planChanged && machine.machine.running == second)
        let plans: Set<String> = [machine.machine.tag(of: first).text]
        machine.send(.reloadRequested(ReloadRequest(.rollback, ticket: 2, plans: plans)))
        machine.send(.configurationRead(first))
        machine.send(.prepared)
        machine.send(.committed)
        #expect(machine.machine.running == first)
    }

    @Test func aTagNamesWhatIsWantedAndWhatRunsAndMeansNothingElsewhere() {
        let tag = PlanTag(first, after: 3, key: 1)
        #expect(tag == PlanTag(first, after: 3, key: 1))
        let others = [
            PlanTag(second, after: 3, key: 1), PlanTag(first, after: 4, key: 1),
            PlanTag(first, after: 3, key: 2),
        ]
        #expect(Set(others + [tag]).count == 4)
        #expect(tag.text.wholeMatch(of: /g3-[0-9a-f]{32}/) != nil)
    }
}
