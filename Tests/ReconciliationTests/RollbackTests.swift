import AgentStatus
import Reconciliation
import TestSupport
import Testing
import TunnelConfiguration

/// Going back to what was in force before.
@Suite struct RollbackTests {
    private let first = TwoConfigurations.first
    private let second = TwoConfigurations.second

    private func running() -> DrivenMachine { .running(first) }

    @Test func theFirstConfigurationHasNothingBeforeIt() {
        var machine = running()
        machine.send(.reloadRequested(ReloadRequest(.rollback, ticket: 3)))
        #expect(machine.lastReport?.refusal == .nothingBefore)
        #expect(machine.lastReport?.tickets == [3])
        #expect(machine.actions.count == 1)
        // One that changes nothing is none that one could go back from.
        machine.reload(to: first)
        #expect(machine.machine.former == nil)
    }

    @Test func itAppliesWhatWasInForceAsAReloadDoesAndReadsNoFile() {
        var machine = running()
        machine.reload(to: second)
        machine.send(.reloadRequested(ReloadRequest(.rollback, ticket: 3)))
        #expect(machine.actions == [.recall(first)])
        #expect(machine.machine.isReloading)
        machine.send(.configurationRead(first))
        #expect(machine.actions == [.prepare(ReloadPlan(running: second, desired: first))])
        machine.send(.prepared)
        machine.send(.committed)
        #expect(machine.lastReport?.outcome == .applied)
        #expect(machine.lastReport?.tickets == [3])
        #expect(machine.machine.running == first)
        #expect(machine.machine.generation == 3)
        #expect(machine.machine.isRolledBack)
        // The next one rolls forward.
        machine.send(.reloadRequested(ReloadRequest(.rollback)))
        #expect(machine.actions == [.recall(second)])
    }

    @Test func aReloadReadsTheFileAgain() {
        var machine = running()
        machine.reload(to: second)
        machine.send(.reloadRequested(ReloadRequest(.rollback)))
        machine.send(.configurationRead(first))
        machine.send(.prepared)
        machine.send(.committed)
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        #expect(machine.actions == [.read(.hangup)])
        machine.send(.configurationRefused)
        #expect(machine.machine.isRolledBack, "a file that is refused changes nothing")
        machine.reload(to: first)
        #expect(!machine.machine.isRolledBack, "the file says what runs")
        #expect(machine.lastReport?.outcome == .unchanged)
    }

    @Test func whileAnotherReloadIsUnderWayItIsRefused() {
        var machine = running()
        machine.reload(to: second)
        machine.send(.reloadRequested(ReloadRequest(.hangup)))
        for _ in 0..<2 {
            machine.send(.reloadRequested(ReloadRequest(.rollback, ticket: 5)))
            #expect(machine.lastReport?.refusal == .isBusy && machine.actions.count == 1)
            machine.send(.configurationRead(second))
        }
        #expect(machine.machine.isReloading)
    }

    @Test func oneThatCannotBePreparedLeavesWhatRuns() {
        var machine = running()
        machine.reload(to: second)
        machine.send(.reloadRequested(ReloadRequest(.rollback, ticket: 4)))
        machine.send(.configurationRead(first))
        machine.send(.preparationFailed)
        #expect(machine.lastReport?.outcome == .refused && machine.lastReport?.refusal == nil)
        #expect(machine.machine.running == second && !machine.machine.isRolledBack)
        #expect(machine.machine.former == first)
    }
}
