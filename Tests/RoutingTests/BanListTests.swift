import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// Who is shut out for guessing.
@Suite struct BanListTests {
    private static let start = MonotonicInstant(nanoseconds: 5_000_000_000)
    private static let rules: BanRules = {
        var rules = BanRules()
        rules.after = 20
        return rules
    }()
    private static let guesser = AddressGroup("192.0.2.7")

    private static func at(_ time: Duration) -> MonotonicInstant { start.advanced(by: time) }

    /// Guesses until there is a ban.
    private static func guess(
        _ list: inout BanList, _ address: AddressGroup = guesser, _ rules: BanRules = rules,
        _ now: MonotonicInstant
    ) -> (guesses: Int, ban: BanList.Ban)? {
        for number in 1...10_000 {
            if let ban = list.failed(address, guess: "\(now.nanoseconds) \(number)", rules, now: now) {
                return (number, ban)
            }
        }
        return nil
    }

    @Test(arguments: [1, 3, 20, 100, 77]) func soManyGuessesBanTheirAddressForAWhile(after: Int) throws {
        var list = BanList()
        var rules = Self.rules
        rules.after = after
        let (guesses, ban) = try #require(Self.guess(&list, Self.guesser, rules, Self.start))
        #expect(guesses == after)
        #expect(ban == BanList.Ban(address: Self.guesser, left: .seconds(600), count: 1))
        #expect(list.timeLeft(of: Self.guesser, now: Self.at(.seconds(599))) == .seconds(1))
        #expect(list.timeLeft(of: Self.guesser, now: Self.at(.seconds(600))) == nil)
        #expect(list.timeLeft(of: AddressGroup("192.0.2.8"), now: Self.start) == nil)
        #expect(list.failed(Self.guesser, guess: "while banned", rules, now: Self.start) == nil)
    }

    @Test func eachBanLastsTwiceAsLongUntilThereWasQuiet() throws {
        var list = BanList()
        var now = Self.start
        var times: [Duration] = []
        for _ in 0..<10 {
            let (_, ban) = try #require(Self.guess(&list, Self.guesser, Self.rules, now))
            times.append(ban.left)
            now = now.advanced(by: ban.left)
        }
        #expect(times.prefix(4) == [.seconds(600), .seconds(1200), .seconds(2400), .seconds(4800)])
        #expect(times.suffix(2) == [.seconds(86_400), .seconds(86_400)])
        now = now.advanced(by: .seconds(86_400))
        let (_, ban) = try #require(Self.guess(&list, Self.guesser, Self.rules, now))
        #expect(ban.left == .seconds(600) && ban.count == 1)
    }

    /// Tunnel clients with a wrong password try it for ever, and so do pages with a tunnel that is gone.
    @Test func theSameGuessesAgainBanNobody() {
        var list = BanList()
        for number in 0..<100_000 {
            #expect(
                list.failed(Self.guesser, guess: "wrong \(number % 8)", Self.rules, now: Self.start) == nil)
        }
    }

    @Test func whoGuessesSlowlyIsForgiven() {
        var list = BanList()
        for number in 0..<1000 {
            let now = Self.at(.seconds(31 * number))
            #expect(list.failed(Self.guesser, guess: "\(number)", Self.rules, now: now) == nil)
        }
    }

    @Test func aNetworkOfIPv6IsOneAddressAndIsShownAsOne() throws {
        var list = BanList()
        for number in 0..<20 {
            _ = list.failed(
                AddressGroup("2001:db8:1:2::\(number)"), guess: "\(number)", Self.rules, now: Self.start)
        }
        let ban = try #require(list.bans(now: Self.start).first)
        #expect("\(ban.address)" == "2001:db8:1:2::/64")
        #expect("\(AddressGroup("::ffff:192.0.2.7"))" == "192.0.2.7")
    }

    @Test func bansAreLiftedOneByOneOrAll() throws {
        var list = BanList()
        #expect(list.lift(nil, now: Self.start) == 0 && list.lift(Self.guesser, now: Self.start) == 0)
        let others = (0..<5).map { AddressGroup("192.0.2.\($0 + 20)") }
        for address in others + [Self.guesser] { _ = Self.guess(&list, address, Self.rules, Self.start) }
        #expect(list.bans(now: Self.start).count == 6)
        #expect(list.lift(Self.guesser, now: Self.start) == 1)
        #expect(list.timeLeft(of: Self.guesser, now: Self.start) == nil)
        #expect(list.bans(now: Self.start).count == 5)
        let (guesses, ban) = try #require(Self.guess(&list, Self.guesser, Self.rules, Self.start))
        #expect(guesses == 20 && ban.count == 1, "nothing of before is held against it")
        #expect(list.lift(nil, now: Self.start) == 6 && list.bans(now: Self.start).isEmpty)
    }

    /// As after a takeover: what comes next is the second ban, twice as long.
    @Test func aBanOfAnotherListGoesOnHere() throws {
        var before = BanList()
        _ = Self.guess(&before, Self.guesser, Self.rules, Self.start)
        var list = BanList()
        let ban = try #require(before.bans(now: Self.start).first)
        list.restore(ban, now: Self.start)
        #expect(list.bans(now: Self.start) == [ban])
        list.restore(BanList.Ban(address: ban.address, left: .seconds(1), count: 1), now: Self.start)
        #expect(list.bans(now: Self.start) == [ban], "a shorter one ends no longer one")
        list.restore(BanList.Ban(address: .unknown, left: .seconds(1), count: 1), now: Self.start)
        #expect(list.bans(now: Self.start).count == 1)
        let later = Self.start.advanced(by: .seconds(601))
        let (_, next) = try #require(Self.guess(&list, Self.guesser, Self.rules, later))
        #expect(next.count == 2 && next.left == .seconds(1200))
    }

    /// Whoever has many addresses can fill the list, but push out no ban before theirs.
    @Test(arguments: [1, 2] as [UInt64]) func strangersWhoFillTheListPushOutNoBan(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var list = BanList()
        _ = Self.guess(&list, Self.guesser, Self.rules, Self.start)
        for _ in 0..<200_000 {
            let stranger = AddressGroup.ipv6(network: random.next())
            _ = list.failed(stranger, guess: "one", Self.rules, now: Self.start)
        }
        #expect(list.timeLeft(of: Self.guesser, now: Self.start) == .seconds(600))
        #expect(list.bans(now: Self.start).count == 1)
        for number in 0..<100_000 as Range<UInt32> {
            let address = AddressGroup.ipv4(number)
            #expect(address == Self.guesser || list.timeLeft(of: address, now: Self.start) == nil)
        }
    }
}
