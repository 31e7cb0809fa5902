import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// How many sessions anybody may have, and whose they are.
@Suite final class SessionBoundsTests {
    private typealias Table = TokenTable

    private let start = MonotonicInstant(nanoseconds: 1)
    private let token: RendezvousToken
    private let here = AddressGroup("192.0.2.1")
    private let elsewhere = AddressGroup("192.0.2.2")
    private var table = Table(maximumWaiting: 3, maximumClients: nil)
    private var lastID: UInt64 = 0

    init() throws { token = try RendezvousToken("bounds-test-token-1") }

    @discardableResult
    private func join(_ client: ClientIdentity) -> Table.Arrival {
        lastID += 1
        return table.join(
            token, Table.Member(id: lastID, session: Int(lastID), loop: 0, capacity: 8, client: client),
            now: start)
    }

    private func client(_ process: String, _ slot: Int = 0, _ address: AddressGroup? = nil) -> ClientIdentity
    {
        ClientIdentity(process: process, slot: slot, address: address ?? here)
    }

    @Test func oneClientThatNumbersItsConnectionsWithoutEndGetsNoFurther() {
        table.maximumClients = 1
        for slot in 0..<Table.maximumSessionsPerClient {
            #expect(table.admits(token, client("evil", slot)) == .admitted)
            join(client("evil", slot))
        }
        #expect(table.admits(token, client("evil", 1_000_000)) == .tooManySessions)
        #expect(table.admits(token, client("evil", 0)) == .tooManySessions, "also in the place of another")
        table.leave(1, now: start)
        #expect(table.admits(token, client("evil", 1_000_000)) == .admitted)
    }

    @Test func whoClaimsAnothersIdentityFromElsewhereIsAnotherClient() {
        table.maximumClients = 1
        join(client("good", 0))
        #expect(table.admits(token, client("good", 1)) == .admitted)
        #expect(table.admits(token, client("good", 1, elsewhere)) == .tooManyClients)
        table.maximumClients = 2
        #expect(table.admits(token, client("good", 1, elsewhere)) == .admitted)
        #expect(join(client("good", 0, elsewhere)).replaced == nil, "it takes nobody's place")
        #expect(table.summaries().first?.clients == 2)
        table.leave(1, now: start)
        #expect(table.summaries().first?.clients == 1)
        table.leave(2, now: start)
        #expect(table.summaries().first?.clients == 0)
    }

    @Test func aSessionThatWasReplacedTakesNobodysPlaceWhenItLeaves() {
        join(client("a", 0))
        #expect(join(client("a", 0)).replaced == 1)
        table.leave(1, now: start)
        #expect(join(client("a", 0)).replaced == 2)
        table.leave(3, now: start)
        #expect(join(client("a", 0)).replaced == nil)
    }

    /// An address that changes leaves dead sessions behind; whoever claims another's identity costs it a ping.
    @Test func theSameConnectionFromElsewhereHasToProveThatItLivesAndGoesOnToServe() {
        join(client("a", 0))
        join(client("a", 1))
        let moved = join(client("a", 0, elsewhere))
        #expect(moved.elsewhere == 1 && moved.replaced == nil)
        #expect(table.sessionsPerLoop(token, loops: 1) == [3], "it is not drained")
        let again = join(client("a", 0, elsewhere))
        #expect(again.elsewhere == nil && again.replaced == 3)
        let back = join(client("a", 0))
        #expect(back.elsewhere == 4 && back.replaced == 1)
        #expect(join(client("b", 0, elsewhere)).elsewhere == nil, "another client")
        for id in 1...6 as ClosedRange<UInt64> { table.leave(id, now: start) }
        #expect(join(client("a", 0, elsewhere)).elsewhere == nil, "nobody is left")
    }

    @Test func aSessionFromElsewhereThatHasLeftProvesNothing() {
        join(client("a", 0))
        join(client("a", 0, elsewhere))
        table.leave(2, now: start)
        let third = join(client("a", 0, elsewhere))
        #expect(third.elsewhere == nil && third.replaced == nil)
    }

    @Test func aSessionFromElsewhereIsToldWhileOthersServe() {
        #expect(!join(client("a")).isFromElsewhere, "the first")
        #expect(!join(client("b")).isFromElsewhere)
        #expect(join(client("c", 0, elsewhere)).isFromElsewhere)
        #expect(!join(client("d", 0, elsewhere)).isFromElsewhere, "one is there from this address")
        for id in 1...4 as ClosedRange<UInt64> { table.leave(id, now: start) }
        #expect(!join(client("e", 0, elsewhere)).isFromElsewhere)
    }

    @Test func sessionsAreNotProbedOftenHoweverManyClientsAreRefused() {
        for number in 0..<200 { join(client("client-\(number)")) }
        let first = table.sessionsToProbe(token, now: start)
        #expect(first.count == Table.maximumProbed)
        #expect(table.sessionsToProbe(token, now: start).isEmpty)
        let later = start.advanced(by: Table.probeInterval)
        let second = table.sessionsToProbe(token, now: later)
        #expect(second.count == Table.maximumProbed && Set(first).isDisjoint(with: second))
    }
}
