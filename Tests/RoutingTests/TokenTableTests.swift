import Synchronization
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// Sessions and queues of tokens; numbers stand for sessions and requests.
@Suite final class TokenTableTests {
    private typealias Table = TokenTable

    private let start = MonotonicInstant(nanoseconds: 1)
    private let token: RendezvousToken
    private var table = Table(maximumWaiting: 3, maximumClients: nil)

    init() throws { token = try RendezvousToken("table-test-token-1") }

    private static func member(
        _ id: UInt64, loop: Int = 0, capacity: Int = 2, client: String? = nil, slot: Int = 0,
        isSerial: Bool = false
    ) -> Table.Member {
        Table.Member(
            id: id, session: Int(id), loop: loop, capacity: capacity,
            client: ClientIdentity(process: client ?? "process-\(id)", slot: slot), isSerial: isSerial)
    }

    @discardableResult
    private func join(_ member: Table.Member, at now: MonotonicInstant? = nil) -> (
        given: [Int], replaced: [Int]
    ) {
        let arrival = table.join(token, member, now: now ?? start)
        return (arrival.assignments.map(\.request), arrival.replaced.map { [$0] } ?? [])
    }

    private func request(_ number: Int = 0, loop: Int = 0, at now: MonotonicInstant? = nil) -> String {
        switch table.request(token, loop: loop, now: now ?? start, request: { number }) {
        case .send(let id, _): "session \(id)"
        case .wait(let id, _): "wait \(id)"
        case .unknownToken: "unknown"
        case .tooManyWaiting: "too many"
        }
    }

    /// Counts from 1 on.
    private final class Count: RequestNumbering {
        private let last = Mutex<UInt16>(0)

        func next() -> UInt16 {
            last.withLock {
                $0 += 1
                return $0
            }
        }
    }

    private func numbering() -> any RequestNumbering {
        table.numbering(token, client: ClientIdentity(process: "process", slot: 0), now: start) { Count() }
    }

    private func abandon(_ id: UInt64) -> Bool { table.abandon(token, id) != nil }

    @Test func aTokenNeverSeenIsUnknown() {
        #expect(request() == "unknown")
        #expect(table.tokenCount == 0)
    }

    /// Whoever waits behind many others costs no more for it: copied for each, this line takes many minutes.
    @Test(.timeLimit(.minutes(1))) func aHundredThousandMayWait() {
        table.maximumWaiting = .max
        join(Self.member(1))
        for number in 1...2 { #expect(request(number) == "session 1") }
        for number in 1...100_000 { _ = request(number) }
        #expect(table.waitingCount(token) == 100_000)
        #expect(table.streamEnded(1).map(\.request) == [1])
        for id in 2...50_000 as ClosedRange<UInt64> { #expect(abandon(id)) }
        #expect(table.load.waiting == 50_000)
    }

    @Test func requestsOfATokenAreNumberedByOneCountFromItsFirstSessionOn() {
        let first = numbering()
        join(Self.member(1))
        let second = numbering()
        #expect([first.next(), second.next(), first.next()] == [1, 2, 3])
    }

    @Test func requestsWaitInOrderAndNobodyOvertakes() {
        join(Self.member(1, capacity: 1))
        #expect(request(10) == "session 1")
        #expect([request(11), request(12), request(13)] == ["wait 1", "wait 2", "wait 3"])
        #expect(table.waitingCount(token) == 3)
        #expect(table.streamEnded(1).map(\.request) == [11])
        #expect(request(15) == "wait 4")
        #expect(join(Self.member(2, capacity: 2)).given == [12, 13])
        #expect(table.waitingCount(token) == 1)
    }

    @Test func aTunnelThatIsDownHasALimitForThoseWhoWaitAndOneThatIsUpHasNone() {
        join(Self.member(1, capacity: 1))
        #expect(request() == "session 1")
        for id in 1...5 { #expect(request(id) == "wait \(id)") }
        table.drain(1)
        #expect(request() == "too many", "a session that drains takes no more")
        #expect(join(Self.member(2, capacity: 4)).given == [1, 2, 3, 4])
        #expect(request(6) == "wait 6")
        table.leave(2, now: start)
        table.leave(1, now: start)
        #expect(request(7) == "wait 7", "those that wait are 5 and 6")
        #expect(request() == "too many")
        #expect(join(Self.member(3, capacity: 9)).given == [5, 6, 7])
    }

    @Test func whetherATunnelIsUp() {
        #expect(!table.isUp(token))
        join(Self.member(1, capacity: 0))
        #expect(table.isUp(token), "though it takes nothing now")
        table.drain(1)
        #expect(!table.isUp(token))
    }

    @Test func whoGivesUpIsOutOfTheQueueOnce() {
        join(Self.member(1, capacity: 0))
        #expect(request(10) == "wait 1")
        #expect(request(11) == "wait 2")
        #expect(abandon(1))
        #expect(!abandon(1))
        #expect(join(Self.member(2)).given == [11])
        #expect(!abandon(2))
    }

    @Test func callersGetASessionOnTheirOwnLoopWhileItIsFree() {
        join(Self.member(1, loop: 0))
        join(Self.member(2, loop: 1))
        #expect((0..<3).map { _ in request(loop: 1) } == ["session 2", "session 2", "session 1"])
    }

    @Test func equalsTakeTurns() {
        for id in 1...3 { join(Self.member(UInt64(id), capacity: 10)) }
        #expect(
            (0..<6).map { _ in request() } == [
                "session 1", "session 2", "session 3", "session 1", "session 2", "session 3",
            ])
        _ = table.streamEnded(2)
        #expect(request() == "session 2")
    }

    @Test func sessionsWhoseStreamsWaitForEachOtherAreTakenIdleFirst() {
        for id in 1...3 { join(Self.member(UInt64(id), loop: id == 3 ? 1 : 0, capacity: 10, isSerial: true)) }
        // The idle one, even on another loop, before one with a stream.
        #expect((0..<3).map { _ in request(loop: 0) } == ["session 1", "session 2", "session 3"])
        table.setOccupied(1, true)
        table.setOccupied(2, true)
        #expect(
            (0..<2).map { _ in request(loop: 0) } == ["session 3", "session 3"], "though it has the most")
        table.setOccupied(3, true)
        #expect(request() == "session 1", "if all are occupied, the one with the fewest")
        table.setOccupied(2, false)
        #expect(request() == "session 2")
        // An end makes one idle again.
        _ = table.streamEnded(3)
        _ = table.streamEnded(3)
        _ = table.streamEnded(3)
        table.setOccupied(3, false)
        #expect(request() == "session 3")
    }

    @Test func amongBusySessionsOfV1TheOneOnTheCallersLoopIsTakenUnlessAMessageHasItForItself() {
        for loop in 0...1 { join(Self.member(UInt64(loop + 1), loop: loop, capacity: 10, isSerial: true)) }
        let given = (0..<4).map { _ in request(loop: 1) }
        #expect(given == ["session 2", "session 1", "session 2", "session 2"])
        table.setOccupied(2, true)
        #expect(request(loop: 1) == "session 1")
    }

    @Test func aSessionOfV2IsTakenBeforeABusyOneOfV1() {
        join(Self.member(1, loop: 0, capacity: 10, isSerial: true))
        join(Self.member(2, loop: 1, capacity: 10))
        #expect(
            (0..<4).map { _ in request(loop: 0) } == ["session 1", "session 2", "session 2", "session 2"])
    }

    @Test func whatIsSaidOfAnUnknownSessionIsIgnored() {
        table.setOccupied(1, true)
        join(Self.member(1, isSerial: true))
        table.setOccupied(2, true)
        #expect(request() == "session 1")
    }

    @Test func allSessionsOfATokenShareItsCount() {
        let first = numbering()
        join(Self.member(1, isSerial: true))
        let second = numbering()
        join(Self.member(2, isSerial: true))
        #expect([first.next(), second.next(), first.next()] == [1, 2, 3])
        table.leave(1, now: start)
        table.leave(2, now: start)
        #expect(numbering().next() == 4)
    }

    @Test func aDrainingSessionGetsNothing() {
        join(Self.member(1))
        table.drain(1)
        #expect(request(10) == "wait 1")
        // A place that it gives back is nobody's.
        #expect(table.streamEnded(1).isEmpty)
        #expect(join(Self.member(2)).given == [10])
    }

    @Test func aNewConnectionTakesThePlaceOfTheOldOneOfItsClient() {
        join(Self.member(1, client: "a", slot: 0))
        #expect(join(Self.member(2, client: "a", slot: 1)).replaced == [])
        #expect(join(Self.member(3, client: "a", slot: 0)).replaced == [1])
        #expect(Set((0..<4).map { _ in request() }) == ["session 2", "session 3"])
        #expect(request() == "wait 1")
    }

    @Test func clientsAreCountedOnceHoweverManyConnectionsTheyHave() {
        table.maximumClients = 1
        #expect(table.admits(token, ClientIdentity(process: "a", slot: 0)) == .admitted)
        join(Self.member(1, client: "a", slot: 0))
        #expect(table.admits(token, ClientIdentity(process: "a", slot: 1)) == .admitted)
        #expect(table.admits(token, ClientIdentity(process: "b", slot: 0)) == .tooManyClients)
        table.leave(1, now: start)
        #expect(table.admits(token, ClientIdentity(process: "b", slot: 0)) == .admitted)
    }

    @Test func aTokenIsKnownForAWhileAfterItsLastSession() {
        join(Self.member(1))
        table.leave(1, now: start)
        let almost = start.advanced(by: Table.memory - .seconds(1))
        #expect(request(10, at: almost) == "wait 1")
        // While somebody waits it stays.
        let late = start.advanced(by: Table.memory * 2)
        table.forgetOld(now: late, most: 1)
        #expect(table.tokenCount == 1)
        #expect(abandon(1))
        #expect(request(at: late) == "unknown")
        table.forgetOld(now: late, most: 1)
        #expect(table.tokenCount == 0)
    }

    @Test func tokensWithoutEndAreNotRemembered() throws {
        var table = Table(maximumWaiting: 1, maximumClients: nil)
        for number in 0..<Table.maximumTokens + 50 {
            let token = try RendezvousToken("table-flood-token-\(number)")
            _ = table.join(token, Self.member(UInt64(number)), now: start)
            table.leave(UInt64(number), now: start)
        }
        #expect(table.tokenCount == Table.maximumTokens)
        // Who is connected is served all the same.
        _ = table.join(token, Self.member(1), now: start)
        guard case .send = table.request(token, loop: 0, now: start, request: { 1 }) else {
            Issue.record("not served")
            return
        }
    }

    @Test func sessionsPerLoopCountsThoseThatTakeStreams() {
        join(Self.member(1, loop: 1))
        join(Self.member(2, loop: 1))
        join(Self.member(3, loop: 0))
        join(Self.member(4, loop: 7))
        table.drain(2)
        #expect(table.sessionsPerLoop(token, loops: 3) == [1, 1, 0])
    }

    /// Any order of events: no session beyond its capacity, every request served once and in order, nobody forgotten.
    @Test(arguments: 0..<30) func anyOrderOfEventsKeepsTheRules(_ seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var table = Table(maximumWaiting: 5, maximumClients: nil)
        var open: [UInt64: Int] = [:]
        var capacity: [UInt64: Int] = [:]
        var draining: Set<UInt64> = []
        var waiting: [(id: UInt64, number: Int)] = []
        var nextSession: UInt64 = 0
        func gave(_ id: UInt64) {
            open[id, default: 0] += 1
            #expect(open[id, default: 0] <= capacity[id, default: 0], "seed \(seed)")
            #expect(!draining.contains(id), "seed \(seed)")
        }
        func assigned(_ assignments: [Table.Assignment]) {
            for assignment in assignments {
                #expect(assignment.request == waiting.first?.number, "seed \(seed)")
                if !waiting.isEmpty { waiting.removeFirst() }
                gave(assignment.sessionID)
            }
        }
        for number in 0..<2000 {
            let session = capacity.keys.sorted().randomElement(using: &random)
            switch UInt8.random(in: 0..<10, using: &random) {
            case 0 where capacity.count < 4:
                nextSession += 1
                capacity[nextSession] = Int.random(in: 0...3, using: &random)
                assigned(
                    table.join(
                        token, Self.member(nextSession, capacity: capacity[nextSession] ?? 0), now: start
                    ).assignments)
            case 1:
                guard let session, UInt8.random(in: 0..<4, using: &random) == 0 else { continue }
                table.leave(session, now: start)
                capacity[session] = nil
                open[session] = nil
            case 2:
                guard let session, UInt8.random(in: 0..<4, using: &random) == 0 else { continue }
                table.drain(session)
                draining.insert(session)
            case 3:
                guard let index = waiting.indices.randomElement(using: &random) else { continue }
                let (id, number) = waiting.remove(at: index)
                #expect(table.abandon(token, id) == number, "seed \(seed)")
            case 4...6:
                guard let session, open[session, default: 0] > 0 else { continue }
                open[session, default: 0] -= 1
                assigned(table.streamEnded(session))
            default:
                let loop = Int.random(in: 0..<3, using: &random)
                switch table.request(token, loop: loop, now: start, request: { number }) {
                case .send(let id, _):
                    #expect(waiting.isEmpty, "seed \(seed)")
                    gave(id)
                case .wait(let id, _): waiting.append((id, number))
                case .tooManyWaiting:
                    #expect(waiting.count >= 5, "seed \(seed)")
                    #expect(draining.isSuperset(of: capacity.keys), "seed \(seed)")
                case .unknownToken: #expect(nextSession == 0, "seed \(seed)")
                }
            }
            #expect(table.waitingCount(token) == waiting.count, "seed \(seed)")
            let isSomebodyFree = capacity.contains { !draining.contains($0) && open[$0, default: 0] < $1 }
            #expect(waiting.isEmpty || !isSomebodyFree, "seed \(seed)")
        }
    }

    @Test func whoIsConnectedIsToldWithWhatItWasAskedFor() throws {
        #expect(request() == "unknown")
        join(Self.member(1, client: "a"))
        join(Self.member(2, client: "a", slot: 1))
        for _ in 0..<5 { _ = request() }
        let summary = try #require(table.summaries(isConnected: true).first)
        #expect(table.summaries(isConnected: true).count == 1)
        #expect(summary.token == token && summary.sessions.sorted() == [1, 2] && summary.clients == 1)
        #expect(summary.requests == 5 && summary.pending == 5)
        for id in [1, 2] as [UInt64] { table.leave(id, now: start) }
        // It stays known.
        #expect(table.summaries(isConnected: true).isEmpty && table.summaries().first?.requests == 5)
    }

    @Test func whoLeftLastIsRemembered() throws {
        let first = SessionPeer(address: "192.0.2.1", endpoint: "192.0.2.1:1", software: "one")
        let second = SessionPeer(address: "192.0.2.2", endpoint: "192.0.2.2:2", software: "two")
        for (id, peer) in [(1, first), (2, second)] as [(UInt64, SessionPeer)] {
            var member = Self.member(id)
            member.peer = peer
            join(member)
        }
        #expect(table.summaries().first?.lastPeer == nil)
        let later = start.advanced(by: .seconds(10))
        table.leave(2, now: later, lastHeard: start)
        table.leave(1, now: later)
        let summary = try #require(table.summaries().first)
        #expect(summary.sessions.isEmpty)
        #expect(summary.lastPeer?.peer == first)
        #expect(summary.lastPeer?.heard == later)
        join(Self.member(3))
        #expect(table.summaries().first?.sessions == [3])
    }
}

/// Who a session says it is.
@Suite struct ClientIdentityTests {
    @Test(arguments: [
        ("abc/0", "abc/0"), ("abc/12", "abc/12"), (nil, "own/0"), ("", "own/0"), ("abc", "own/0"),
        ("abc/", "own/0"),
        ("/1", "own/0"), ("abc/x", "own/0"), ("a/b/1", "own/0"),
        (String(repeating: "x", count: 65) + "/1", "own/0"),
        ("abc/99999999999999999999", "own/0"),
    ])
    func whatIsNotUsableIsAClientOfItsOwn(_ text: String?, _ expected: String) {
        let identity = ClientIdentity(text: text, address: .unknown, otherwise: "own")
        #expect("\(identity.process.text)/\(identity.slot)" == expected)
    }
}
