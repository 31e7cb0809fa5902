import AgentStatus
import HostSystem
import Logging
import Observability
import Routing
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// What the requests of a server's callers take of what its `limits` let them have. Asked only where there are any; what it
/// counts outlives a change of the configuration.
final class CallerMeter: Sendable {
    private struct State {
        var meter = RequestMeter()
        /// By the limit that was met.
        var warnings: [LimitName: RepeatedWarning] = [:]
        /// How often each was met.
        var hits: [LimitName: UInt64] = [:]
    }

    private let state = Mutex(State())
    let usage: UsageLedger
    /// In whose name bytes are counted.
    private let serverName: String
    private let logger: Logger

    init(_ serverName: String, usage: UsageLedger, logger: Logger) {
        self.serverName = serverName
        self.usage = usage
        self.logger = logger
    }

    /// A request comes.
    ///
    /// - Parameters:
    ///   - parties: who is meant by the limits.
    ///   - token: where it goes.
    ///   - address: who sends it.
    /// - Returns: what it is to be let in with; nil where no limit is meant for it.
    /// - Throws: the answer for one that goes beyond a limit.
    func admit(
        _ parties: [LimitedParty], of token: RendezvousToken, from address: String,
        _ limits: @autoclosure () -> CallerLimits
    ) throws(Refusal) -> RequestPass? {
        guard !parties.isEmpty else { return nil }
        let limits = limits()
        let quota = limits.limits(of: token).bytesPerMonth.map { bytes in
            RequestPass.Quota(
                name: UsageAccount(server: serverName, token), bytes: UInt64(max(0, bytes)))
        }
        let pass = RequestPass(
            self, parties, quota, isEnforced: limits.isEnforced, address: address, tokenHint: token.hint)
        guard let hit = begin(pass) else { return pass }
        tell(hit, pass)
        guard !limits.isEnforced else { throw Refusal(hit) }
        return pass
    }

    private func begin(_ pass: RequestPass) -> LimitHit? {
        let used = pass.hasUsedUp ? Self.usedUp : nil
        if pass.isEnforced, let used { return used }
        let now = MonotonicInstant.now
        let hit = state.withLock {
            $0.meter.begin(pass.parties, isEnforced: pass.isEnforced, now: now)
        }
        return hit ?? used
    }

    /// That a token has had its bytes.
    static var usedUp: LimitHit {
        LimitHit(limit: LimitName(.token, .bytesPerMonth), retryAfter: UsageLedger.timeLeft)
    }

    /// How many bytes a token has had this month.
    func bytesThisMonth(of token: RendezvousToken) -> UInt64 {
        usage.used(by: UsageAccount(server: serverName, token))
    }

    /// What `admit` would find, and how much each party has used. Takes nothing, and tells nobody.
    func outlook(_ parties: [LimitedParty]) -> (hit: LimitHit?, usage: [RequestUsage]) {
        let now = MonotonicInstant.now
        var (hit, usages) = state.withLock { state in
            (state.meter.outlook(parties, now: now), parties.map { state.meter.usage(of: $0, now: now) })
        }
        for (index, party) in parties.enumerated() {
            guard case .token(let token) = party.identity, let quota = party.limits.bytesPerMonth else {
                continue
            }
            let used = bytesThisMonth(of: token)
            usages[index].monthBytes = used
            if used >= UInt64(max(0, quota)) { hit = Self.usedUp }
        }
        return (hit, usages)
    }

    /// So many bytes of a request's bodies have passed.
    ///
    /// - Returns: how long no more are to pass; nil where they may go on.
    fileprivate func passed(_ count: Int, _ pass: RequestPass) -> Duration? {
        let now = MonotonicInstant.now
        guard let hit = state.withLock({ $0.meter.passed(count, pass.parties, now: now) }) else { return nil }
        tell(hit, pass)
        return pass.isEnforced ? hit.retryAfter : nil
    }

    fileprivate func ended(_ parties: [LimitedParty]) { state.withLock { $0.meter.end(parties) } }

    /// How often each limit was met.
    var limitsReached: [LimitName: UInt64] { state.withLock { $0.hits } }

    /// Counts a limit that was met, and tells the log, at most once a minute for each.
    private func tell(_ hit: LimitHit, _ pass: RequestPass) {
        let times = state.withLock { state in
            state.hits[hit.limit, default: 0] += 1
            return state.warnings[hit.limit, default: RepeatedWarning()].happened()
        }
        guard let times else { return }
        logger.tell(
            .limitReached, .warning, pass.isEnforced ? "Limit reached" : "Limit reached, not enforced",
            metadata: [
                .limit: "\(hit.limit)", .peerAddress: "\(pass.address)", .tokenHint: "\(pass.tokenHint)",
                .times: .stringConvertible(times),
            ],
            detail: "\(hit.limit)")
    }
}

/// The place of one request among those that limits are meant for. Used on its event loop.
final class RequestPass {
    /// What a token may have in a month.
    struct Quota {
        let name: UsageAccount
        let bytes: UInt64
    }

    private let meter: CallerMeter
    private let quota: Quota?
    /// Where its bytes are counted, once there are any: before that the token may be nobody's.
    private var account: UsageLedger.Account?
    fileprivate let parties: [LimitedParty]
    fileprivate let isEnforced: Bool
    fileprivate let address: String
    fileprivate let tokenHint: String
    private let countsBytes: Bool
    private var isOver = false

    fileprivate init(
        _ meter: CallerMeter, _ parties: [LimitedParty], _ quota: Quota?, isEnforced: Bool, address: String,
        tokenHint: String
    ) {
        self.meter = meter
        self.parties = parties
        self.quota = quota
        self.isEnforced = isEnforced
        self.address = address
        self.tokenHint = tokenHint
        countsBytes = parties.contains { $0.limits.byteRate != nil }
    }

    /// So many bytes have passed.
    ///
    /// - Returns: how long no more are to pass; nil where they may go on.
    func passed(_ count: Int) -> Duration? {
        if let quota {
            let account = account ?? meter.usage.account(quota.name)
            account.add(count)
            self.account = account
        }
        return countsBytes ? meter.passed(count, self) : nil
    }

    /// Whether the token has had all that it may have this month.
    fileprivate var hasUsedUp: Bool {
        guard let quota else { return false }
        return (account?.used ?? meter.usage.used(by: quota.name)) >= quota.bytes
    }

    /// Whether what has no end of its own is to end, as that is so.
    var isOverdrawn: Bool { isEnforced && hasUsedUp }

    /// The request is over.
    func leave() {
        guard !isOver else { return }
        isOver = true
        meter.ended(parties)
    }
}
