import HostSystem
package import Routing
import Synchronization
import TunnelConfiguration
import TunnelProtocol

/// How many bytes tokens have had this month, for all servers of an agent and whatever becomes of these: only of tokens that
/// have a quota. To count costs an addition; who keeps the file looks into it now and then.
package final class UsageLedger: Sendable {
    /// The bytes of one token at one server.
    final class Account: Sendable {
        /// In the file when it was looked at last: of other agents too.
        private let written = Atomic<UInt64>(0)
        /// Of this process, and not in the file yet.
        private let fresh = Atomic<UInt64>(0)

        /// This month.
        var used: UInt64 { written.load(ordering: .relaxed) &+ fresh.load(ordering: .relaxed) }

        func add(_ count: Int) { fresh.wrappingAdd(UInt64(max(0, count)), ordering: .relaxed) }

        fileprivate var news: UInt64 { fresh.load(ordering: .relaxed) }

        fileprivate func wrote(_ news: UInt64, of all: UInt64) {
            // Whatever is added meanwhile, it does not get less.
            fresh.wrappingSubtract(min(news, self.news), ordering: .relaxed)
            written.store(all, ordering: .relaxed)
        }

        fileprivate func beginAnew() {
            fresh.store(0, ordering: .relaxed)
            written.store(0, ordering: .relaxed)
        }
    }

    private struct State {
        var accounts: [UsageAccount: Account] = [:]
        /// What the file said.
        var usage = MonthlyUsage(month: "")
        /// Which file.
        var source: String?
        /// With so many accounts room is looked for.
        var mostAccounts = MonthlyUsage.mostAccounts

        /// Drops those that nobody counts in, and of which the file has all.
        mutating func forgetIdle() {
            guard accounts.count >= mostAccounts else { return }
            var idle: [UsageAccount] = []
            for index in accounts.indices {
                let isHeld = !isKnownUniquelyReferenced(&accounts.values[index])
                if !isHeld, accounts.values[index].news == 0 { idle.append(accounts.keys[index]) }
            }
            for name in idle { accounts[name] = nil }
            mostAccounts = max(MonthlyUsage.mostAccounts, accounts.count * 2)
        }

        mutating func show(_ news: [UsageAccount: UInt64], of usage: MonthlyUsage) {
            self.usage = usage
            for (name, account) in accounts { account.wrote(news[name] ?? 0, of: usage.bytes[name] ?? 0) }
        }
    }

    private let state = Mutex(State())

    package init() {}

    /// Where the bytes of a token are counted that has carried some.
    func account(_ name: UsageAccount) -> Account {
        state.withLock { state in
            if let account = state.accounts[name] { return account }
            state.forgetIdle()
            let account = Account()
            if let written = state.usage.bytes[name] { account.wrote(0, of: written) }
            state.accounts[name] = account
            return account
        }
    }

    /// The bytes of a token this month. Makes it no account: whoever asks may have made it up.
    func used(by name: UsageAccount) -> UInt64 {
        state.withLock { $0.accounts[name]?.used ?? $0.usage.bytes[name] ?? 0 }
    }

    /// Tokens that have carried bytes.
    var accountCount: Int { state.withLock { $0.accounts.count } }

    // MARK: The file

    /// What is not in the file yet.
    package var news: [UsageAccount: UInt64] {
        state.withLock { $0.accounts.mapValues(\.news).filter { $0.value > 0 } }
    }

    /// A month has begun: what was counted before it counts no more.
    package func begin(_ month: UsageMonth) {
        state.withLock { state in
            guard state.usage.month < month.description else { return }
            state.usage.begin(month)
            for account in state.accounts.values { account.beginAnew() }
        }
    }

    /// From now on the file of that name counts.
    ///
    /// - Parameter usage: what it holds.
    package func adopt(_ usage: MonthlyUsage, of source: String) {
        state.withLock { state in
            state.source = source
            state.show([:], of: usage)
        }
    }

    /// The file is as it is told here.
    ///
    /// - Parameter news: what of it was new. Where another file counts by now, it is news for that one.
    package func wrote(_ news: [UsageAccount: UInt64], of usage: MonthlyUsage, in source: String) {
        state.withLock { state in
            if state.source == source { state.show(news, of: usage) }
        }
    }

    /// After how long everybody begins anew.
    static var timeLeft: Duration {
        let now = UnixTime.now
        return .seconds(UsageMonth(unixTime: now).end - now)
    }
}
