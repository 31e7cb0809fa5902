import NIOCore
import Testing

@testable import OriginHTTP

/// The pool's decisions where connections carry many exchanges, or may turn out to.
struct SharedConnectionTests {
    private typealias Machine = OriginPoolMachine
    private typealias Action = OriginPoolMachine.Action

    private static let get = OriginPoolMachine.Needs(isRepeatable: true, mustBeNew: false)
    private static let post = OriginPoolMachine.Needs(isRepeatable: false, mustBeNew: false)
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static let refused = OriginError(.refused, "no")

    private func actions(_ machine: inout Machine) -> [Action] {
        var actions: [Action] = []
        while let action = machine.nextAction() { actions.append(action) }
        return actions
    }

    private func wait(_ machine: inout Machine, _ needs: Machine.Needs = get) throws -> Machine.WaiterID {
        guard case .wait(let id) = machine.requested(needs, now: Self.start) else { throw Unexpected() }
        return id
    }

    private func connecting(_ machine: inout Machine) throws -> Machine.ConnectionID {
        guard case .connect(let id)? = machine.nextAction() else { throw Unexpected() }
        return id
    }

    private struct Unexpected: Error {}

    @Test func laterRequestsWaitForTheFirstConnectionAndShareIt() throws {
        var machine = Machine(HTTPOriginOptions(), expectedCapacity: 100)
        let waiters = [try wait(&machine), try wait(&machine), try wait(&machine)]
        let connection = try connecting(&machine)
        #expect(actions(&machine).isEmpty)
        machine.connected(connection, capacity: 100, now: Self.start)
        #expect(actions(&machine) == waiters.map { .carry(connection, $0) })
        #expect(machine.requested(Self.post, now: Self.start) == .carry(connection))
        #expect(machine.active == 1)
    }

    @Test func whereItCarriesOneTheOthersHaveTheirOwnAtOnce() throws {
        var machine = Machine(HTTPOriginOptions(), expectedCapacity: 100)
        let first = try wait(&machine)
        let connection = try connecting(&machine)
        _ = [try wait(&machine), try wait(&machine)]
        #expect(actions(&machine).isEmpty)
        machine.connected(connection, capacity: 1, now: Self.start)
        let wanted = actions(&machine)
        #expect(wanted.count == 3 && wanted.first == .carry(connection, first))
        // From now on nobody waits for another's.
        _ = try wait(&machine)
        _ = try connecting(&machine)
    }

    @Test func whatIsMoreThanItCarriesHasAnotherOne() throws {
        var machine = Machine(HTTPOriginOptions(), expectedCapacity: 100)
        _ = try wait(&machine)
        let connection = try connecting(&machine)
        let second = try wait(&machine)
        let third = try wait(&machine)
        machine.connected(connection, capacity: 2, now: Self.start)
        #expect(actions(&machine).dropFirst().first == .carry(connection, second))
        let other = Machine.ConnectionID(number: 1)
        // Its place is the second's when that is there.
        let fourth = try wait(&machine)
        #expect(actions(&machine).isEmpty)
        machine.connected(other, capacity: 2, now: Self.start)
        #expect(actions(&machine) == [.carry(other, third), .carry(other, fourth)])
        _ = try wait(&machine)
        _ = try connecting(&machine)
    }

    @Test func thoseWhoWaitForAnAttemptShareItsFate() throws {
        var machine = Machine(HTTPOriginOptions(), expectedCapacity: 100)
        let waiters = [try wait(&machine), try wait(&machine)]
        let connection = try connecting(&machine)
        machine.attemptFailed(connection, Self.refused, now: Self.start)
        #expect(actions(&machine) == waiters.map { .fail($0, Self.refused) })
        #expect(machine.active == 0)
    }

    @Test func anAttemptGoesOnForTheNextWhenItsFirstLeaves() throws {
        var machine = Machine(HTTPOriginOptions(), expectedCapacity: 100)
        let first = try wait(&machine)
        let connection = try connecting(&machine)
        let second = try wait(&machine)
        machine.withdrawn(first)
        #expect(actions(&machine).isEmpty)
        machine.connected(connection, capacity: 100, now: Self.start)
        #expect(actions(&machine) == [.carry(connection, second)])
    }

    @Test func oneThatLeavesFinishesWhatItHas() throws {
        var machine = Machine(HTTPOriginOptions(), expectedCapacity: 100)
        let first = try wait(&machine)
        let connection = try connecting(&machine)
        machine.connected(connection, capacity: 100, now: Self.start)
        #expect(actions(&machine) == [.carry(connection, first)])
        #expect(machine.requested(Self.get, now: Self.start) == .carry(connection))
        machine.takesNoMore(connection)
        _ = try wait(&machine)
        let other = try connecting(&machine)
        #expect(other != connection)
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        #expect(actions(&machine).isEmpty)
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        #expect(actions(&machine) == [.close(connection)])
    }

    @Test func roomThatTheOriginGivesOrTakesCountsAtOnce() throws {
        var machine = Machine(HTTPOriginOptions(), expectedCapacity: 100)
        _ = try wait(&machine)
        let connection = try connecting(&machine)
        machine.connected(connection, capacity: 1, now: Self.start)
        _ = actions(&machine)
        machine.capacityChanged(of: connection, to: 2, now: Self.start)
        #expect(machine.requested(Self.get, now: Self.start) == .carry(connection))
        machine.capacityChanged(of: connection, to: 1, now: Self.start)
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        _ = try wait(&machine)
        #expect(try connecting(&machine) != connection)
    }

    @Test func whatMustNotBeRepeatedGoesOnOneThatWasIdleForLong() throws {
        var machine = Machine(HTTPOriginOptions(), expectedCapacity: 100)
        _ = try wait(&machine)
        let connection = try connecting(&machine)
        machine.connected(connection, capacity: 100, now: Self.start)
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        _ = actions(&machine)
        // Its origin says before it closes which requests it has not looked at.
        #expect(machine.requested(Self.post, now: Self.start + .seconds(30)) == .carry(connection))
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        machine.timePassed(now: Self.start + .seconds(56))
        #expect(actions(&machine) == [.close(connection)])
    }
}
