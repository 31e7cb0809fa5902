import Testing
import TunnelProtocol

@testable import Routing

/// Tokens whose tunnels have yet to come after a start.
@Suite final class ExpectedTokenTests {
    private typealias Table = TokenTable

    private let start = MonotonicInstant(nanoseconds: 1)
    private let end: MonotonicInstant
    private let token: RendezvousToken
    private var table = Table(maximumWaiting: 3, maximumClients: nil)

    init() throws {
        token = try RendezvousToken("table-test-token-1")
        end = start.advanced(by: .seconds(30))
    }

    private func request(
        _ token: RendezvousToken? = nil, at now: MonotonicInstant? = nil, isListed: Bool = false
    ) -> String {
        let decision = table.request(
            token ?? self.token, loop: 0, now: now ?? start, isListed: isListed, request: { 7 })
        switch decision {
        case .send(let id, _): return "session \(id)"
        case .wait(let id, let until):
            #expect(until == nil || until == end)
            return until == nil ? "wait \(id)" : "wait \(id) for now"
        case .unknownToken: return "unknown"
        case .tooManyWaiting: return "too many"
        }
    }

    @discardableResult
    private func join(_ id: UInt64) -> [Int] {
        let member = Table.Member(
            id: id, session: Int(id), loop: 0, capacity: 2, client: ClientIdentity(process: "p", slot: 0))
        return table.join(token, member, now: start).assignments.map(\.request)
    }

    private func abandon(_ id: UInt64) -> Bool { table.abandon(token, id) != nil }
    private func leave(_ id: UInt64) { table.leave(id, now: end) }

    @Test func afterAStartRequestsWaitForListedTokensAlone() {
        #expect(request(isListed: true) == "unknown")
        table.expect(.listed, until: end)
        #expect(request() == "unknown")
        #expect(request(isListed: true) == "wait 1 for now")
        #expect(table.hasSeen(token) == false)
        #expect(join(1) == [7])
        #expect(table.hasSeen(token))
        #expect(request() == "session 1")
    }

    @Test func afterASuccessionTheyWaitForAny() {
        table.expect(.every, until: end)
        #expect(request() == "wait 1 for now")
        #expect(join(1) == [7])
    }

    @Test func whenTheTimeIsOverTheTokenIsUnknown() {
        table.expect(.every, until: end)
        #expect(request() == "wait 1 for now")
        #expect(request(at: end) == "unknown")
        #expect(request(at: end, isListed: true) == "unknown")
        // Nothing is kept of one that nobody came for.
        #expect(abandon(1))
        #expect(table.tokenCount == 0)
    }

    @Test func aTokenThatCameIsKnownLikeAnyOther() {
        table.expect(.listed, until: end)
        #expect(request(isListed: true) == "wait 1 for now")
        join(1)
        leave(1)
        #expect(request(at: end.advanced(by: .seconds(60))) == "wait 2")
    }

    @Test func theQueueOfATokenIsNoLongerThanAnyOther() {
        table.expect(.listed, until: end)
        for number in 1...3 { #expect(request(isListed: true) == "wait \(number) for now") }
        #expect(request(isListed: true) == "too many")
    }

    @Test func whereNoneMayWaitNothingIsKept() {
        table.maximumWaiting = 0
        table.expect(.every, until: end)
        #expect(request() == "unknown")
        #expect(table.tokenCount == 0)
    }

    @Test func tokensOfWhichOnlyRequestsTellHaveOneBoundForAll() throws {
        table.expect(.every, until: end)
        for number in 1...Table.maximumGuessed {
            let token = try RendezvousToken("table-flood-token-\(number)")
            #expect(request(token) == "wait \(number) for now")
        }
        #expect(request() == "unknown")
        #expect(table.tokenCount == Table.maximumGuessed)
        // Who is listed has a place all the same, and who leaves makes room.
        let next = UInt64(Table.maximumGuessed) + 1
        #expect(request(isListed: true) == "wait \(next) for now")
        #expect(abandon(next))
        #expect(table.abandon(try RendezvousToken("table-flood-token-1"), 1) != nil)
        #expect(request() == "wait \(next + 1) for now")
        // So does a tunnel that comes.
        #expect(join(1) == [7])
        #expect(request(try RendezvousToken("table-flood-token-1")) == "wait \(next + 2) for now")
    }
}
