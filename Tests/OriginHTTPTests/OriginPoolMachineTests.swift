import NIOCore
import Testing

@testable import OriginHTTP

/// The pool's decisions, without connections, event loop and clock.
struct OriginPoolMachineTests {
    private typealias Machine = OriginPoolMachine
    private typealias Action = OriginPoolMachine.Action
    private typealias ID = OriginPoolMachine.ConnectionID

    private static let get = OriginPoolMachine.Needs(isRepeatable: true, mustBeNew: false)
    private static let post = OriginPoolMachine.Needs(isRepeatable: false, mustBeNew: false)
    private static let repetition = OriginPoolMachine.Needs(isRepeatable: true, mustBeNew: true)
    private static let lack = OriginError(.noDescriptors, "none")
    private static let refused = OriginError(.refused, "no")
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func after(_ time: TimeAmount) -> NIODeadline { Self.start + time }

    private func actions(_ machine: inout Machine) -> [Action] {
        var actions: [Action] = []
        while let action = machine.nextAction() { actions.append(action) }
        return actions
    }

    /// A request that waits, and the attempt that was begun for it.
    private func attempt(
        _ machine: inout Machine, _ needs: Machine.Needs = get, now: NIODeadline = start
    ) throws -> (waiter: Machine.WaiterID, connection: ID) {
        guard case .wait(let waiter) = machine.requested(needs, now: now),
            case .connect(let connection)? = machine.nextAction()
        else { throw Unexpected() }
        return (waiter, connection)
    }

    private struct Unexpected: Error {}

    /// A connection that carries an exchange.
    private func inUse(_ machine: inout Machine, capacity: Int = 1, now: NIODeadline = start) throws -> ID {
        let (waiter, connection) = try attempt(&machine, now: now)
        machine.connected(connection, capacity: capacity, now: now)
        #expect(actions(&machine) == [.carry(connection, waiter)])
        return connection
    }

    private func idle(_ machine: inout Machine, now: NIODeadline = start) throws -> ID {
        let connection = try inUse(&machine, now: now)
        machine.exchangeEnded(on: connection, isReusable: true, now: now)
        #expect(actions(&machine).isEmpty)
        return connection
    }

    // MARK: Who gets which

    @Test func theConnectionUsedLastIsTakenFirst() throws {
        var machine = Machine(HTTPOriginOptions())
        let first = try inUse(&machine)
        let second = try inUse(&machine)
        machine.exchangeEnded(on: second, isReusable: true, now: Self.start)
        machine.exchangeEnded(on: first, isReusable: true, now: Self.start)
        #expect(machine.active == 0 && machine.idleCount == 2)
        #expect(machine.requested(Self.post, now: Self.start) == .carry(first))
        #expect(machine.requested(Self.get, now: Self.start) == .carry(second))
        #expect(machine.active == 2 && machine.idleCount == 0)
        #expect(actions(&machine).isEmpty)
    }

    @Test func aRequestThatIsNotRepeatedTakesNoneThatWasIdleForLong() throws {
        var machine = Machine(HTTPOriginOptions())
        let kept = try idle(&machine)
        let late = after(OriginPoolMachine.freshness + .nanoseconds(1))
        let (_, made) = try attempt(&machine, Self.post, now: late)
        #expect(made != kept && machine.idleCount == 1)
        #expect(machine.requested(Self.get, now: late) == .carry(kept))
    }

    @Test func aRepetitionHasANewConnection() throws {
        var machine = Machine(HTTPOriginOptions())
        let kept = try idle(&machine)
        let (_, made) = try attempt(&machine, Self.repetition)
        #expect(made != kept && machine.idleCount == 1)
    }

    @Test func beyondTheLimitRequestsWaitInOrderAndThenAreRefused() throws {
        var machine = Machine(HTTPOriginOptions(activeConnections: 1, waitingRequests: 2))
        let connection = try inUse(&machine)
        guard case .wait(let first) = machine.requested(Self.post, now: Self.start),
            case .wait(let second) = machine.requested(Self.get, now: Self.start)
        else { throw Unexpected() }
        #expect(machine.requested(Self.get, now: Self.start) == .refuse)
        #expect(actions(&machine).isEmpty)
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        #expect(actions(&machine) == [.carry(connection, first)])
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        #expect(actions(&machine) == [.carry(connection, second)])
        #expect(machine.waitingCount == 0 && machine.active == 1)
    }

    @Test func aConnectionThatCanCarryNothingMoreIsClosedAndCountsUntilItIs() throws {
        var machine = Machine(HTTPOriginOptions(activeConnections: 1))
        let connection = try inUse(&machine)
        guard case .wait(let waiter) = machine.requested(Self.get, now: Self.start) else {
            throw Unexpected()
        }
        machine.exchangeEnded(on: connection, isReusable: false, now: Self.start)
        #expect(actions(&machine) == [.close(connection)])
        #expect(machine.active == 1)
        machine.closed(connection, now: Self.start)
        guard case .connect(let next)? = machine.nextAction() else { throw Unexpected() }
        machine.connected(next, capacity: 1, now: Self.start)
        #expect(actions(&machine) == [.carry(next, waiter)])
    }

    @Test func whatAWithdrawnAttemptBringsGoesToTheNext() throws {
        var machine = Machine(HTTPOriginOptions(activeConnections: 1))
        let (first, connection) = try attempt(&machine)
        guard case .wait(let second) = machine.requested(Self.get, now: Self.start) else {
            throw Unexpected()
        }
        machine.withdrawn(first)
        machine.withdrawn(first)
        #expect(actions(&machine) == [.abandon(connection)])
        machine.connected(connection, capacity: 1, now: Self.start)
        #expect(actions(&machine) == [.carry(connection, second)])
    }

    @Test func aFailedAttemptFailsItsRequestBehindAllElse() throws {
        var machine = Machine(HTTPOriginOptions(activeConnections: 1))
        let (first, connection) = try attempt(&machine)
        guard case .wait = machine.requested(Self.get, now: Self.start) else { throw Unexpected() }
        machine.attemptFailed(connection, Self.refused, now: Self.start)
        guard case .connect? = machine.nextAction() else { throw Unexpected() }
        #expect(actions(&machine) == [.fail(first, Self.refused)])
    }

    // MARK: Idle

    @Test func idleConnectionsBeyondTheLimitAndTheTimeAreClosedOldestFirst() throws {
        var machine = Machine(HTTPOriginOptions(idleTimeout: .seconds(10), idleConnections: 2))
        let all = try (0..<3).map { _ in try inUse(&machine) }
        #expect(machine.wakeUp == nil)
        for (index, connection) in all.enumerated() {
            machine.exchangeEnded(on: connection, isReusable: true, now: after(.seconds(Int64(index))))
        }
        #expect(actions(&machine) == [.close(all[0])])
        #expect(machine.wakeUp == after(.seconds(11)))
        machine.timePassed(now: after(.seconds(11)))
        #expect(actions(&machine) == [.close(all[1])])
        #expect(machine.wakeUp == after(.seconds(12)) && machine.idleCount == 1)
        machine.takesNoMore(all[2])
        #expect(actions(&machine) == [.close(all[2])])
        #expect(machine.wakeUp == nil && machine.idleCount == 0)
        for connection in all { machine.closed(connection, now: after(.seconds(12))) }
        #expect(machine.active == 0)
    }

    @Test func aRetiredPoolKeepsNothingAndServesNevertheless() throws {
        var machine = Machine(HTTPOriginOptions())
        let kept = try idle(&machine)
        machine.retire()
        #expect(actions(&machine) == [.close(kept)])
        let late = try inUse(&machine)
        machine.exchangeEnded(on: late, isReusable: true, now: Self.start)
        #expect(actions(&machine) == [.close(late)])
        #expect(machine.active == 0)
    }

    // MARK: Time

    @Test func whoWaitsTooLongFailsWhereverItWaits() throws {
        var machine = Machine(HTTPOriginOptions(connectTimeout: .seconds(3), activeConnections: 1))
        let (first, connection) = try attempt(&machine)
        guard case .wait(let second) = machine.requested(Self.get, now: after(.seconds(1))) else {
            throw Unexpected()
        }
        #expect(machine.wakeUp == after(.seconds(3)))
        machine.timePassed(now: after(.seconds(2)))
        #expect(actions(&machine).isEmpty)
        machine.timePassed(now: after(.seconds(3)))
        #expect(actions(&machine) == [.abandon(connection), .fail(first, nil)])
        #expect(machine.wakeUp == after(.seconds(4)))
        machine.timePassed(now: after(.seconds(4)))
        #expect(actions(&machine) == [.fail(second, nil)])
        #expect(machine.wakeUp == nil && machine.waitingCount == 0)
        machine.attemptFailed(connection, Self.refused, now: after(.seconds(4)))
        #expect(actions(&machine).isEmpty && machine.active == 0)
    }

    // MARK: Descriptors

    @Test func withoutDescriptorsRequestsKeepTheirPlacesAndIdleConnectionsGo() throws {
        var machine = Machine(HTTPOriginOptions(connectTimeout: .seconds(3)))
        let kept = try idle(&machine)
        let late = after(.seconds(2) + .nanoseconds(1))
        let (first, attempt1) = try attempt(&machine, Self.post, now: late)
        let (second, attempt2) = try attempt(&machine, Self.post, now: late)
        machine.attemptFailed(attempt1, Self.lack, now: late)
        #expect(actions(&machine) == [.close(kept)])
        #expect(machine.wakeUp == late + OriginPoolMachine.descriptorPause)
        machine.attemptFailed(attempt2, Self.lack, now: late)
        #expect(machine.active == 0 && machine.waitingCount == 2)
        // The first tries again, fails, and is the first again.
        for _ in 0..<3 {
            let time = try #require(machine.wakeUp)
            machine.timePassed(now: time)
            let action = machine.nextAction()
            guard case .connect(let again)? = action else { throw Unexpected() }
            machine.attemptFailed(again, Self.lack, now: time)
            #expect(actions(&machine).isEmpty)
        }
        let time = try #require(machine.wakeUp)
        machine.timePassed(now: time)
        guard case .connect(let made)? = machine.nextAction() else { throw Unexpected() }
        machine.connected(made, capacity: 1, now: time)
        #expect(machine.nextAction() == .carry(made, first))
        guard case .connect(let next)? = machine.nextAction() else { throw Unexpected() }
        machine.attemptFailed(next, Self.lack, now: time)
        machine.exchangeEnded(on: made, isReusable: true, now: time)
        #expect(actions(&machine) == [.carry(made, second)])
        // Nobody is in line: no look for a descriptor.
        #expect(machine.wakeUp == nil)
    }

    @Test func whoFailsForLackOfDescriptorsHearsThat() throws {
        var machine = Machine(HTTPOriginOptions(connectTimeout: .seconds(3), waitingRequests: 1))
        let (first, attempt1) = try attempt(&machine)
        let (second, attempt2) = try attempt(&machine)
        machine.attemptFailed(attempt1, Self.lack, now: Self.start)
        machine.attemptFailed(attempt2, Self.lack, now: Self.start)
        #expect(actions(&machine) == [.fail(second, Self.lack)])
        machine.timePassed(now: after(.seconds(3)))
        #expect(actions(&machine) == [.fail(first, Self.lack)])
        #expect(machine.wakeUp == nil)
    }

    @Test func whereDescriptorsAreShortWhatHasBecomeFreeIsTaken() throws {
        var machine = Machine(HTTPOriginOptions())
        let first = try inUse(&machine)
        let (waiter, made) = try attempt(&machine)
        machine.exchangeEnded(on: first, isReusable: true, now: Self.start)
        machine.attemptFailed(made, Self.lack, now: Self.start)
        #expect(actions(&machine) == [.carry(first, waiter)])
        #expect(machine.active == 1 && machine.idleCount == 0)
    }

    // MARK: Connections that carry many

    @Test func aConnectionThatCarriesManyTakesThoseInLineAndThenNewOnes() throws {
        var machine = Machine(HTTPOriginOptions(activeConnections: 1))
        let (first, connection) = try attempt(&machine)
        guard case .wait(let second) = machine.requested(Self.get, now: Self.start) else {
            throw Unexpected()
        }
        machine.connected(connection, capacity: 3, now: Self.start)
        #expect(actions(&machine) == [.carry(connection, first), .carry(connection, second)])
        #expect(machine.requested(Self.post, now: Self.start) == .carry(connection))
        guard case .wait(let fourth) = machine.requested(Self.get, now: Self.start) else {
            throw Unexpected()
        }
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        #expect(actions(&machine) == [.carry(connection, fourth)])
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        #expect(machine.requested(Self.get, now: Self.start) == .carry(connection))
        for _ in 0..<3 { machine.exchangeEnded(on: connection, isReusable: true, now: Self.start) }
        #expect(machine.active == 0 && machine.idleCount == 1 && actions(&machine).isEmpty)
    }

    @Test func theRoomOfAnIdleConnectionThatIsTakenIsForThoseInLine() throws {
        var machine = Machine(HTTPOriginOptions(activeConnections: 1))
        let kept = try inUse(&machine, capacity: 3)
        machine.exchangeEnded(on: kept, isReusable: true, now: Self.start)
        let (first, other) = try attempt(&machine, Self.repetition)
        var line: [Machine.WaiterID] = []
        for _ in 0..<2 {
            guard case .wait(let waiter) = machine.requested(Self.get, now: Self.start) else {
                throw Unexpected()
            }
            line.append(waiter)
        }
        machine.attemptFailed(other, Self.refused, now: Self.start)
        #expect(
            actions(&machine) == [
                .carry(kept, line[0]), .carry(kept, line[1]), .fail(first, Self.refused),
            ])
        #expect(machine.active == 1)
    }

    @Test func aConnectionThatTakesNoMoreIsClosedWhenItCarriesNothing() throws {
        var machine = Machine(HTTPOriginOptions())
        let connection = try inUse(&machine, capacity: 3)
        #expect(machine.requested(Self.get, now: Self.start) == .carry(connection))
        machine.takesNoMore(connection)
        let (_, other) = try attempt(&machine)
        #expect(other != connection)
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        #expect(actions(&machine).isEmpty)
        machine.exchangeEnded(on: connection, isReusable: true, now: Self.start)
        #expect(actions(&machine) == [.close(connection)])
        machine.closed(connection, now: Self.start)
        #expect(machine.active == 1)
    }
}

struct SlotTableTests {
    @Test func aNumberIsGivenOutAgainOnceItsValueIsGone() {
        var table = SlotTable<String>()
        let numbers = ["a", "b", "c"].map { table.insert($0) }
        #expect(numbers == [0, 1, 2] && table.count == 3)
        #expect(table.remove(1) == "b" && table[1] == nil && table.count == 2)
        #expect(table.remove(1) == nil && table.remove(7) == nil && table[7] == nil)
        #expect(table.insert("d") == 1 && table[1] == "d")
        table.replace(0, by: "e")
        #expect(table[0] == "e" && table[2] == "c" && table.count == 3)
    }
}
