import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// What requests take of what their address and token may have.
@Suite struct RequestMeterTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)
    private static let second = start.advanced(by: .seconds(1))

    private static func address(_ number: UInt32, _ limits: RequestLimits) -> LimitedParty {
        LimitedParty(.address(.ipv4(number)), limits)
    }

    private static func token(_ text: String, _ limits: RequestLimits) throws -> LimitedParty {
        LimitedParty(.token(try RendezvousToken(text)), limits)
    }

    @Test func theNarrowestIsAskedFirstAndTakesNothingOfTheOthers() throws {
        var meter = RequestMeter()
        let once = RequestLimits(requestRate: .init(perSecond: 1, burst: 1))
        let loud = [Self.address(1, once), try Self.token("token-of-the-tunnel", .init(requests: 3))]
        #expect(meter.begin(loud, isEnforced: true, now: Self.start) == nil)
        for _ in 0..<10 {
            let hit = meter.begin(loud, isEnforced: true, now: Self.start)
            #expect(hit?.limit.description == "per-address.requests-per-second")
            #expect(hit?.retryAfter == .seconds(1))
        }
        let others = [2, 3, 4].map { number in [Self.address(number, once), loud[1]] }
        #expect(meter.begin(others[0], isEnforced: true, now: Self.start) == nil)
        #expect(meter.begin(others[1], isEnforced: true, now: Self.start) == nil)
        let hit = meter.begin(others[2], isEnforced: true, now: Self.start)
        #expect(hit?.limit.description == "per-token.requests")
        meter.end(others[0])
        #expect(meter.begin(others[2], isEnforced: true, now: Self.second) == nil)
    }

    @Test func whatIsNotEnforcedCountsAllTheSame() throws {
        var meter = RequestMeter()
        let parties = [Self.address(1, .init(requests: 1))]
        #expect(meter.begin(parties, isEnforced: false, now: Self.start) == nil)
        #expect(
            meter.begin(parties, isEnforced: false, now: Self.start)?.limit.description
                == "per-address.requests")
        meter.end(parties)
        #expect(meter.begin(parties, isEnforced: true, now: Self.start) != nil, "one is still under way")
        meter.end(parties)
        #expect(meter.begin(parties, isEnforced: true, now: Self.start) == nil)
    }

    @Test func theLongestWaitCountsForBytes() throws {
        var meter = RequestMeter()
        let parties = [
            Self.address(1, .init(byteRate: .init(perSecond: 1000, burst: 1000))),
            try Self.token("token-of-the-tunnel", .init(byteRate: .init(perSecond: 500, burst: 1000))),
        ]
        #expect(meter.passed(1000, parties, now: Self.start) == nil)
        let hit = meter.passed(1000, parties, now: Self.start)
        #expect(hit?.limit.description == "per-token.bytes-per-second")
        #expect(hit?.retryAfter == .seconds(2))
        #expect(meter.passed(1 << 40, [Self.address(2, .init(requests: 1))], now: Self.start) == nil)
    }

    /// Any order of requests that come, are refused and end leaves the counts as they were.
    @Test(arguments: [1, 2, 3] as [UInt64]) func asManyAreUnderWayAsCameInAndDidNotEnd(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var meter = RequestMeter()
        let tokens = try ["token-of-the-first-", "token-of-the-second"].map { text in
            try Self.token(text, .init(requests: 12))
        }
        let addresses = (0..<4).map { Self.address($0, .init(requests: 5)) }
        var underWay: [[LimitedParty]] = []
        for _ in 0..<20_000 {
            if Bool.random(using: &random), let index = underWay.indices.randomElement(using: &random) {
                meter.end(underWay.remove(at: index))
                continue
            }
            let parties = [addresses.randomElement(using: &random), tokens.randomElement(using: &random)]
                .compactMap(\.self)
            let counts = parties.map { party in underWay.count { $0.contains(party) } }
            let fits = counts[0] < 5 && counts[1] < 12
            let hit = meter.begin(parties, isEnforced: true, now: Self.start)
            #expect((hit == nil) == fits, "seed \(seed)")
            if hit == nil { underWay.append(parties) }
        }
    }
}

/// How slow a body may be.
@Suite struct BodyClockTests {
    private let start = MonotonicInstant(nanoseconds: 5_000_000_000)

    private func at(_ seconds: Int64) -> MonotonicInstant { start.advanced(by: .seconds(seconds)) }

    @Test func aBodyMayLagBehindItsPaceAndGainsNothingAhead() {
        var clock = BodyClock(BodyPace(bytesPerSecond: 1000, patience: .seconds(10)), now: start)
        #expect(!clock.isDue(at(9)) && clock.isDue(at(10)))
        clock.came(5000, now: at(5))
        #expect(!clock.isDue(at(14)) && clock.isDue(at(15)))
        clock.came(1_000_000_000, now: at(5))
        #expect(clock.isDue(at(15)), "not more than its patience from now")
        clock.came(1, now: at(14))
        #expect(!clock.isDue(at(15)) && clock.isDue(at(16)))
        clock.restart(now: at(20))
        #expect(!clock.isDue(at(29)) && clock.isDue(at(30)))
    }

    /// One byte now and then does not keep a request alive.
    @Test func dripsAreNotEnough() {
        var clock = BodyClock(BodyPace(bytesPerSecond: 100, patience: .seconds(10)), now: start)
        let end = (1...1000).first { second in
            clock.came(50, now: at(Int64(second)))
            return clock.isDue(at(Int64(second)))
        }
        #expect(end == 20)
        var fast = BodyClock(BodyPace(bytesPerSecond: 100, patience: .seconds(10)), now: start)
        #expect(
            (1...1000).allSatisfy { second in
                fast.came(101, now: at(Int64(second)))
                return !fast.isDue(at(Int64(second)))
            })
    }
}
