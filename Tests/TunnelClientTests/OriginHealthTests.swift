import TestSupport
import Testing
import TunnelClient
import TunnelConfiguration
import TunnelProtocol

/// Which origins are up, and which has a request.
@Suite struct OriginHealthTests {
    private static func at(_ seconds: Int) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: UInt64(seconds) * 1_000_000_000)
    }

    private static func tried(_ indices: Int...) -> OriginHealth.Tried {
        indices.reduce(into: OriginHealth.Tried()) { $0.insert($1) }
    }

    @Test func theFirstThatIsUpHasEveryRequest() {
        var health = OriginHealth(count: 3)
        for _ in 0..<3 { #expect(health.choose(now: Self.at(0)) == .origin(0)) }
        #expect(health.cannotConnect(to: 0, reason: "x", now: Self.at(0)) == .wentDown(0, reason: "x"))
        for _ in 0..<3 { #expect(health.choose(now: Self.at(1)) == .origin(1)) }
        #expect(health.choose(besides: Self.tried(1), now: Self.at(1)) == .origin(2))
    }

    @Test func roundRobinGivesEachThatIsUpItsTurn() {
        var health = OriginHealth(count: 3, balance: .roundRobin)
        #expect(
            (0..<6).map { _ in health.choose(now: Self.at(0)) } == [0, 1, 2, 0, 1, 2].map { .origin($0) })
        _ = health.cannotConnect(to: 1, reason: "x", now: Self.at(0))
        #expect((0..<4).map { _ in health.choose(now: Self.at(0)) } == [0, 2, 0, 2].map { .origin($0) })
    }

    @Test func oneRequestTriesAnOriginAgainAfterAPause() {
        var health = OriginHealth(count: 2)
        _ = health.cannotConnect(to: 0, reason: "x", now: Self.at(0))
        #expect(health.choose(now: Self.at(9)) == .origin(1))
        #expect(health.choose(now: Self.at(10)) == .origin(0))
        // Until it is known what becomes of that.
        #expect(health.choose(now: Self.at(10)) == .origin(1))
        // Told once.
        #expect(health.cannotConnect(to: 0, reason: "x", now: Self.at(11)) == nil)
        #expect(health.choose(now: Self.at(20)) == .origin(1))
        #expect(health.choose(now: Self.at(21)) == .origin(0))
        #expect(health.connected(to: 0) == .cameUp(0))
        #expect(health.connected(to: 0) == nil)
        #expect(health.choose(now: Self.at(21)) == .origin(0))
    }

    @Test func whereAllRefuseTheOneThatRefusedFirstIsTried() {
        var health = OriginHealth(count: 2, check: HealthCheck())
        _ = health.cannotConnect(to: 1, reason: "x", now: Self.at(0))
        _ = health.cannotConnect(to: 0, reason: "y", now: Self.at(1))
        #expect(health.choose(now: Self.at(2)) == .origin(1))
        #expect(health.choose(besides: Self.tried(1), now: Self.at(2)) == .origin(0))
        #expect(health.choose(besides: Self.tried(0, 1), now: Self.at(2)) == .none)
        #expect(health.connected(to: 1) == .cameUp(1))
    }

    @Test func checksBringAnOriginDownAndUp() {
        let check = HealthCheck(fall: 3, rise: 2)
        var health = OriginHealth(count: 1, check: check)
        #expect(health.failed(0, reason: "a") == nil)
        #expect(health.failed(0, reason: "b") == nil)
        // In a row.
        #expect(health.passed(0) == nil)
        #expect(health.failed(0, reason: "c") == nil)
        #expect(health.failed(0, reason: "d") == nil)
        #expect(health.choose(now: Self.at(0)) == .origin(0))
        #expect(health.failed(0, reason: "e") == .wentDown(0, reason: "e"))
        #expect(health.reason(of: 0) == "e")
        #expect(health.choose(now: Self.at(1000)) == .none)
        // A connection is not what they ask for.
        #expect(health.connected(to: 0) == nil)
        #expect(health.failed(0, reason: "f") == nil)
        #expect(health.passed(0) == nil)
        #expect(health.failed(0, reason: "g") == nil)
        #expect(health.passed(0) == nil)
        #expect(health.passed(0) == .cameUp(0))
        #expect(health.reason(of: 0) == nil)
    }

    @Test func whatRefusedIsDownForGoodOnceChecksSaySo() {
        var health = OriginHealth(count: 1, check: HealthCheck(fall: 2, rise: 1))
        #expect(health.cannotConnect(to: 0, reason: "x", now: Self.at(0)) == .wentDown(0, reason: "x"))
        #expect(health.failed(0, reason: "a") == nil)
        #expect(health.choose(now: Self.at(0)) == .origin(0))
        #expect(health.failed(0, reason: "b") == nil)
        #expect(health.choose(now: Self.at(0)) == .none)
        #expect(health.reason(of: 0) == "b")
        #expect(health.passed(0) == .cameUp(0))
    }

    @Test func whatIsKnownOfAnOriginIsTakenOverAsFarAsItCanChange() {
        var old = OriginHealth(count: 2, check: HealthCheck(fall: 1))
        _ = old.failed(0, reason: "a")
        _ = old.cannotConnect(to: 1, reason: "b", now: Self.at(0))
        var checked = OriginHealth(count: 3, check: HealthCheck())
        checked.inherit(2, from: old, 0)
        checked.inherit(0, from: old, 1)
        #expect((0..<3).map(checked.reason) == ["b", nil, "a"])
        var unchecked = OriginHealth(count: 2)
        unchecked.inherit(0, from: old, 0)
        unchecked.inherit(1, from: old, 1)
        #expect((0..<2).map(unchecked.reason) == [nil, "b"])
    }

    /// Whatever happens: a change is told once, a request gets an untried origin if any is up, and no origin that is up
    /// stands back behind one that is down, but for a try.
    @Test(arguments: [nil, HealthCheck(fall: 2, rise: 2)], TunnelClientConfiguration.Balance.allCases)
    func randomEventsKeepItsWord(check: HealthCheck?, balance: TunnelClientConfiguration.Balance) {
        var random = SplitMix64(seed: 1818)
        for _ in 0..<200 {
            let count = Int.random(in: 1...5, using: &random)
            var health = OriginHealth(count: count, balance: balance, check: check)
            var isUp = Array(repeating: true, count: count)
            var second = 0
            for _ in 0..<100 {
                second += Int.random(in: 0...4, using: &random)
                let (index, now) = (Int.random(in: 0..<count, using: &random), Self.at(second))
                let change: OriginHealth.Change? =
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: health.connected(to: index)
                    case 1: health.cannotConnect(to: index, reason: "r", now: now)
                    case 2: health.passed(index)
                    default: health.failed(index, reason: "f")
                    }
                switch change {
                case .wentDown(let told, _):
                    #expect(told == index && isUp[told])
                    isUp[told] = false
                case .cameUp(let told):
                    #expect(told == index && !isUp[told])
                    isUp[told] = true
                case nil: break
                }
                #expect(isUp == (0..<count).map { health.reason(of: $0) == nil })
                var tried = OriginHealth.Tried()
                var tries: [Int] = []
                while case .origin(let next) = health.choose(besides: tried, now: now) {
                    #expect(!tried.contains(next))
                    tried.insert(next)
                    tries.append(next)
                }
                for index in 0..<count where isUp[index] { #expect(tried.contains(index)) }
                // With checks nothing that is down is tried before all that are up were.
                if check != nil {
                    let firstDown = tries.firstIndex { !isUp[$0] } ?? tries.count
                    #expect(tries[firstDown...].allSatisfy { !isUp[$0] })
                }
            }
        }
    }
}
