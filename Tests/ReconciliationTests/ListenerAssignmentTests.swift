import Reconciliation
import Testing
import TunnelConfiguration

@Suite struct ListenerAssignmentTests {
    private func assign(
        _ running: [ServerConfiguration], _ desired: [ServerConfiguration], inherited: Set<String> = []
    ) -> [String: ListenerSource] {
        assignListeners(
            reconcile(running: running, desired: desired), running: running, inherited: inherited)
    }

    @Test func aServerThatIsRenamedKeepsItsSocket() {
        let sources = assign([Examples.server("old", port: 80)], [Examples.server("new", port: 80)])
        #expect(sources == ["new": .takenOver(from: "old")])
    }

    @Test func twoServersThatSwapPortsSwapSockets() {
        let sources = assign(
            [Examples.server("a", port: 1), Examples.server("b", port: 2)],
            [Examples.server("a", port: 2), Examples.server("b", port: 1)])
        #expect(sources == ["a": .takenOver(from: "b"), "b": .takenOver(from: "a")])
    }

    @Test func aServerThatMovesBindsAndOneThatStaysIsNotTouched() {
        let sources = assign(
            [Examples.server("a", port: 1), Examples.server("b", port: 2)],
            [Examples.server("a", port: 3), Examples.server("b", port: 2)])
        #expect(sources == ["a": .bound])
    }

    @Test func aPortThatTheKernelPickedIsNobodyElses() {
        let sources = assign([Examples.server("old", port: 0)], [Examples.server("new", port: 0)])
        #expect(sources == ["new": .bound])
    }

    @Test func aServerWhoseAddressStaysKeepsItsSocket() {
        var changed = Examples.server("a", port: 0)
        changed.reusePort = true
        #expect(assign([Examples.server("a", port: 0)], [changed]) == ["a": .takenOver(from: "a")])
    }

    @Test func aSocketThatDoesNotShareItsPortCannotBeginTo() {
        var changed = Examples.server("a", port: 80)
        changed.reusePort = true
        #expect(assign([Examples.server("a", port: 80)], [changed]) == ["a": .bound])
        #expect(assign([changed], [Examples.server("a", port: 80)]) == ["a": .bound])
        #expect(assign([changed], [Examples.server("b", port: 80)]) == ["b": .bound])
    }

    @Test func anInheritedSocketGoesToTheServerOfItsNameWhateverItsAddress() {
        let sources = assign([], [Examples.server("a", port: 1), Examples.server("b")], inherited: ["a"])
        #expect(sources == ["a": .inherited, "b": .bound])
        // It is not handed on: the next process gets it again under that name.
        let later = assign([Examples.server("a", port: 1)], [Examples.server("c", port: 1)], inherited: ["a"])
        #expect(later == ["c": .bound])
    }
}
