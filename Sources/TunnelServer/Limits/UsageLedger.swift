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

        func add(_ count: Int) { fresh.add(UInt64(max(0, count)), ordering: .relaxed) }

        fileprivate var news: UInt64 { fresh.load(ordering: .relaxed) }

        fileprivate func wrote(_ news: UInt64, of all: UInt64) {
            fresh.subtract(news, ordering: .relaxed)
            written.store(all, ordering: .relaxed)
        }
    }

    private struct State {
        var accounts: [UsageAccount: Account] = [:]
        /// By what requests have: to make an account of a token costs a hash.
        var known: [Key: Account] = [:]
        /// What the file said.
        var usage = MonthlyUsage(month: "")

        /// Makes room for one more where there are as many as may be; what they had is in the file, or goes with them.
        mutating func forgetIdle() {
            guard known.count >= MonthlyUsage.mostAccounts else { return }
            known = [:]
            accounts = accounts.filter { $0.value.news > 0 }
            if accounts.count >= MonthlyUsage.mostAccounts { accounts = [:] }
        }
    }

    private struct Key: Hashable {
        let server: String
        let token: RendezvousToken
    }

    private let state = Mutex(State())

    package init() {}

    /// The bytes of a token. Those that strangers make up have none: who asks has let its request in.
    func account(of token: RendezvousToken, at server: String) -> Account {
        let key = Key(server: server, token: token)
        return state.withLock { state in
            if let account = state.known[key] { return account }
            let name = UsageAccount(server: server, token)
            let account = state.accounts[name] ?? Account()
            if state.accounts[name] == nil, let written = state.usage.bytes[name] {
                account.wrote(0, of: written)
            }
            state.forgetIdle()
            state.accounts[name] = account
            state.known[key] = account
            return account
        }
    }

    /// The bytes of a token this month. Makes it no account.
    func used(by token: RendezvousToken, at server: String) -> UInt64 {
        state.withLock { state in
            state.known[Key(server: server, token: token)]?.used
                ?? state.usage.bytes[UsageAccount(server: server, token)] ?? 0
        }
    }

    /// What is not in the file yet.
    package var news: [UsageAccount: UInt64] {
        state.withLock { $0.accounts.mapValues(\.news).filter { $0.value > 0 } }
    }

    /// The file is as it is told here.
    ///
    /// - Parameter news: what of it was new.
    package func wrote(_ news: [UsageAccount: UInt64], of usage: MonthlyUsage) {
        state.withLock { state in
            state.usage = usage
            for (name, account) in state.accounts {
                account.wrote(news[name] ?? 0, of: usage.bytes[name] ?? 0)
            }
        }
    }

    /// After how long everybody begins anew.
    static var timeLeft: Duration {
        let now = UnixTime.now
        return .seconds(UsageMonth(unixTime: now).end - now)
    }
}
