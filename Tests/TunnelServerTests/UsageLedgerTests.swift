import Routing
import Testing
import TunnelConfiguration

@testable import TunnelServer

/// What is counted of the bytes of a month, and what of it is in the file.
@Suite struct UsageLedgerTests {
    private static let name = UsageAccount(server: "public", TestTokens.first)
    private static let november = UsageMonth(unixTime: 1_796_000_000)

    @Test func whatTheFileHoldsAndWhatCameSinceCountTogether() {
        let ledger = UsageLedger()
        ledger.adopt(MonthlyUsage(month: "2026-11", bytes: [Self.name: 100]), of: "file")
        #expect(ledger.used(by: Self.name) == 100 && ledger.news.isEmpty)
        let account = ledger.account(Self.name)
        account.add(7)
        #expect(account.used == 107 && ledger.news == [Self.name: 7])
        let news = ledger.news
        account.add(1)
        // Another agent has added 50.
        ledger.wrote(news, of: MonthlyUsage(month: "2026-11", bytes: [Self.name: 157]), in: "file")
        #expect(account.used == 158 && ledger.news == [Self.name: 1])
        // Told twice, it takes nothing below nothing.
        ledger.wrote(news, of: MonthlyUsage(month: "2026-11", bytes: [Self.name: 157]), in: "file")
        #expect(account.used == 157 && ledger.news.isEmpty)
    }

    @Test func whatAnotherFileSaysIsNotBelievedAndItsNewsAreNewsHere() {
        let ledger = UsageLedger()
        ledger.adopt(MonthlyUsage(month: "2026-11"), of: "old")
        let account = ledger.account(Self.name)
        account.add(7)
        let news = ledger.news
        ledger.adopt(MonthlyUsage(month: "2026-11", bytes: [Self.name: 5]), of: "new")
        ledger.wrote(news, of: MonthlyUsage(month: "2026-11", bytes: [Self.name: 7]), in: "old")
        #expect(account.used == 12 && ledger.news == [Self.name: 7])
    }

    /// Also while the file cannot be written.
    @Test func aNewMonthBeginsForEverybody() {
        let ledger = UsageLedger()
        ledger.adopt(MonthlyUsage(month: "2026-10", bytes: [Self.name: 100]), of: "file")
        let account = ledger.account(Self.name)
        account.add(7)
        ledger.begin(Self.november)
        #expect(account.used == 0 && ledger.used(by: Self.name) == 0 && ledger.news.isEmpty)
        account.add(3)
        ledger.begin(Self.november)
        ledger.begin(UsageMonth(unixTime: 0))
        #expect(account.used == 3, "the clock was wrong for a while")
    }

    @Test func whoeverMakesUpATokenMakesNoAccount() throws {
        try EmbeddedServer.run(configuration: { $0.callerLimits.perToken.bytesPerMonth = 1 << 20 }) {
            server in
            for number in 0..<50 {
                let caller = try server.caller()
                try caller.send("GET / HTTP/1.1|Host: a|X-Token: nobody-has-this-token-\(number)||")
                #expect(try caller.statuses() == [404])
            }
            #expect(server.core.meter.usage.accountCount == 0)
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            tunnel.answer(0, "200 OK|Content-Length: 4")
            tunnel.send(0, "text")
            #expect(try caller.statuses() == [200])
            #expect(server.core.meter.usage.accountCount == 1)
        }
    }
}
