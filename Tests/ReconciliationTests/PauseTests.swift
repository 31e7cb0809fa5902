import AgentStatus
import Reconciliation
import TestSupport
import Testing
import TunnelConfiguration

/// What is paused, across reloads.
@Suite struct PauseTests {
    private let first = Examples.configuration(servers: ["public"], tunnels: ["web", "api"])

    private func running() -> SupervisorMachine {
        var machine = DrivenMachine(first)
        machine.send(.prepared)
        machine.send(.committed)
        return machine.machine
    }

    private func pause(_ kind: PauseSnapshot.Kind, _ name: String, since: Int = 1) -> PauseSnapshot {
        PauseSnapshot(kind, name, since: since, by: "user 0")
    }

    @Test func onlyWhatRunsIsPausedAndOnce() throws {
        var machine = running()
        #expect(try machine.pause(pause(.tunnel, "web", since: 5)))
        #expect(try !machine.pause(pause(.tunnel, "web", since: 9)))
        #expect(machine.pauses.all.map(\.since) == [5])
        #expect(machine.pauses.contains(.tunnel, "web") && !machine.pauses.contains(.server, "web"))
        #expect(throws: ActionError.self) { try machine.pause(pause(.server, "web")) }
        #expect(throws: ActionError.self) { try machine.resume(.tunnel, "nobody") }
        #expect(try !machine.resume(.tunnel, "api"))
        #expect(try machine.resume(.tunnel, "web"))
        #expect(machine.pauses.all.isEmpty)
    }

    @Test func aReloadLeavesItPausedForAsLongAsItIsThere() throws {
        var driven = DrivenMachine(first)
        driven.send(.prepared)
        driven.send(.committed)
        try driven.change { machine throws(ActionError) in
            _ = try machine.pause(pause(.tunnel, "web"))
            _ = try machine.pause(pause(.server, "public"))
            _ = try machine.pause(pause(.tunnel, "api"))
        }
        var changed = first
        changed.tunnels[0].token = changed.tunnels[1].token
        changed.servers[0].port = 9
        changed.tunnels.removeAll { $0.name == "api" }
        driven.reload(to: changed)
        #expect(driven.machine.pauses.all.map(\.name) == ["public", "web"])
        driven.reload(to: first)
        #expect(!driven.machine.pauses.contains(.tunnel, "api"), "it is another one")
    }

    @Test func aSuccessorGoesOnWithWhatThereIsOfIt() {
        var driven = DrivenMachine(first)
        driven.change { machine in
            machine.takeOver([pause(.tunnel, "web"), pause(.tunnel, "gone"), pause(.server, "public")])
        }
        driven.send(.prepared)
        driven.send(.committed)
        #expect(driven.machine.pauses.all.map(\.name) == ["public", "web"])
    }
}

extension DrivenMachine {
    mutating func change<Failure>(
        _ body: (inout SupervisorMachine) throws(Failure) -> Void
    ) throws(Failure) {
        try body(&machine)
    }
}
