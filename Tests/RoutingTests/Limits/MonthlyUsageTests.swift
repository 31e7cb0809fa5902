import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

/// The bytes of a month.
@Suite struct MonthlyUsageTests {
    @Test(arguments: [
        (0, "1970-01", 2_678_400), (-1, "1969-12", 0), (951_782_400, "2000-02", 951_868_800),
        (1_798_761_599, "2026-12", 1_798_761_600), (1_798_761_600, "2027-01", 1_801_440_000),
    ]) func monthsAreThoseOfUTC(_ time: Int, _ text: String, _ end: Int) {
        let month = UsageMonth(unixTime: time)
        #expect(month.description == text && month.end == end)
    }

    private static func account(_ name: String) throws -> UsageAccount {
        UsageAccount(server: "public", try RendezvousToken("token-of-the-tests-\(name)"))
    }

    @Test func bytesAddUpUntilTheMonthIsOver() throws {
        let (one, two) = (try Self.account("one"), try Self.account("two"))
        let november = UsageMonth(unixTime: 1_796_000_000)
        var usage = MonthlyUsage(month: "")
        usage.add([one: 5, two: 1], in: november)
        usage.add([one: 7], in: november)
        #expect(usage.month == "2026-11" && usage.bytes == [one: 12, two: 1])
        usage.add([one: .max], in: november)
        #expect(usage.bytes[one] == .max)
        usage.add([two: 3], in: UsageMonth(unixTime: november.end))
        #expect(usage.month == "2026-12" && usage.bytes == [two: 3])
        usage.add([two: 1], in: november)
        #expect(usage.month == "2026-12" && usage.bytes == [two: 4], "a clock that is wrong loses nothing")
    }

    @Test func whoHasHadLeastIsForgottenWhereThereAreTooMany() throws {
        var news: [UsageAccount: UInt64] = [:]
        for number in 0...MonthlyUsage.mostAccounts {
            news[UsageAccount(server: "public", digest: "\(number)")] = UInt64(number)
        }
        var usage = MonthlyUsage(month: "")
        usage.add(news, in: UsageMonth(unixTime: 0))
        #expect(usage.bytes.count == MonthlyUsage.mostAccounts / 2)
        #expect(usage.bytes.values.min() ?? 0 > UInt64(MonthlyUsage.mostAccounts / 2))
    }

    @Test func anAccountTellsNoToken() throws {
        let account = try Self.account("one")
        #expect(account.digest.count == 32 && account.digest.allSatisfy(\.isHexDigit))
        #expect(try account == Self.account("one") && account != Self.account("two"))
    }
}

/// Who is meant by a limit.
@Suite struct LimitedPartyTests {
    @Test func theNarrowestComesFirstAndOwnLimitsStandInPlace() throws {
        let token = try RendezvousToken("token-of-the-tests-1")
        let (few, many) = (RequestLimits(requests: 1), RequestLimits(requests: 9))
        let (listed, free) = (
            PublicName(host: .anyLabel(before: "a.test")), PublicName(host: .exact("b.test"))
        )
        var limits = CallerLimits()
        limits.perAddress = few
        limits.perName = few
        limits.perToken = few
        limits.tokens[token] = many
        limits.names = [listed: many, free: RequestLimits()]
        let address = AddressGroup("192.0.2.1")
        let parties = { (host: String?, name: PublicName?) in
            limits.parties(of: token, host: host, name: name, from: address)
        }
        let (caller, all) = (LimitedParty(.address(address), few), LimitedParty(.token(token), many))
        #expect(parties("x.a.test", listed) == [caller, LimitedParty(.name("*.a.test"), many), all])
        #expect(parties("b.test", free) == [caller, all])
        #expect(parties("c.test", nil) == [caller, LimitedParty(.name("c.test"), few), all])
        #expect(parties(nil, nil) == [caller, all])
        #expect(CallerLimits().parties(of: token, host: "c.test", name: nil, from: address).isEmpty)
    }
}
