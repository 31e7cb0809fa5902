import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// What would become of a request, asked without one.
@Suite struct RequestOutlookTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)

    private static func party(_ limits: RequestLimits) -> LimitedParty {
        LimitedParty(.address(.ipv4(1)), limits)
    }

    /// At every moment of a loud second the outlook is what comes of a request then, and takes nothing.
    @Test func theOutlookIsWhatARequestMeetsThen() {
        let party = Self.party(
            RequestLimits(requests: 4, requestRate: .init(perSecond: 2, burst: 3)))
        var meter = RequestMeter()
        var underWay = 0
        for step in 0..<40 {
            let now = Self.start.advanced(by: .milliseconds(100 * step))
            let outlooks = (0..<3).map { _ in meter.outlook([party], now: now) }
            let hit = meter.begin([party], isEnforced: true, now: now)
            #expect(outlooks.allSatisfy { $0 == hit }, "step \(step)")
            if hit == nil { underWay += 1 }
            if underWay == 4 {
                for _ in 0..<4 { meter.end([party]) }
                underWay = 0
            }
        }
    }

    @Test func theUsageIsWhatIsNotForgivenYet() {
        let party = Self.party(
            RequestLimits(
                requests: 4, requestRate: .init(perSecond: 2, burst: 3),
                byteRate: .init(perSecond: 1000, burst: 5000)))
        var meter = RequestMeter()
        #expect(meter.usage(of: party, now: Self.start) == RequestUsage())
        for _ in 0..<2 { _ = meter.begin([party], isEnforced: true, now: Self.start) }
        _ = meter.passed(7000, [party], now: Self.start)
        #expect(
            meter.usage(of: party, now: Self.start)
                == RequestUsage(requests: 2, requestRate: 2, byteRate: 7000))
        let later = Self.start.advanced(by: .seconds(1))
        #expect(
            meter.usage(of: party, now: later) == RequestUsage(requests: 2, requestRate: 0, byteRate: 6000))
        for _ in 0..<2 { meter.end([party]) }
        #expect(meter.usage(of: party, now: later).requests == 0)
    }

    @Test func aTokensOutlookIsWhatTheTableDecides() throws {
        let token = try RendezvousToken("outlook-test-token")
        var table = TokenTable(maximumWaiting: 1, maximumClients: nil)
        let outlook = { (table: TokenTable, isListed: Bool) in
            table.outlook(for: token, now: Self.start, isListed: isListed)
        }
        #expect(outlook(table, true) == .unknownToken)
        table.expect(.listed, until: Self.start.advanced(by: .seconds(1)))
        #expect(outlook(table, true) == .waits(waiting: 0, isUp: false, expectedFor: .seconds(1)))
        #expect(outlook(table, false) == .unknownToken)
        let member = TokenTable.Member(
            id: 1, session: 1, loop: 0, capacity: 1, client: ClientIdentity(process: "p", slot: 0),
            isSerial: false)
        _ = table.join(token, member, now: Self.start)
        #expect(outlook(table, false) == .isTaken(sessions: 1))
        guard case .send = table.request(token, loop: 0, now: Self.start, request: { 1 }) else {
            Issue.record("it is not sent")
            return
        }
        #expect(outlook(table, false) == .waits(waiting: 0, isUp: true, expectedFor: nil))
        _ = table.leave(1, isListed: false, now: Self.start, lastHeard: nil)
        #expect(outlook(table, false) == .waits(waiting: 0, isUp: false, expectedFor: nil))
        guard case .wait = table.request(token, loop: 0, now: Self.start, request: { 2 }) else {
            Issue.record("it does not wait")
            return
        }
        #expect(outlook(table, false) == .tooManyWaiting(1))
        #expect(table.load.waiting == 1)
    }
}
