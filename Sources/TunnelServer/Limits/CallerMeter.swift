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
    }

    private let state = Mutex(State())
    private let logger: Logger

    init(logger: Logger) { self.logger = logger }

    /// A request comes.
    ///
    /// - Parameters:
    ///   - name: of its host, where that has led to the token.
    ///   - address: who sends it.
    /// - Returns: what it is to be let in with; nil where no limit is meant for it.
    /// - Throws: the answer for one that goes beyond a limit.
    func admit(
        _ token: RendezvousToken, name: String?, from address: String, _ limits: CallerLimits
    ) throws(Refusal) -> RequestPass? {
        let parties = LimitedParty.all(token, name: name, from: address, limits)
        guard !parties.isEmpty else { return nil }
        let now = MonotonicInstant.now
        let pass = RequestPass(
            self, parties, isEnforced: limits.isEnforced, address: address, tokenHint: token.hint)
        let hit = state.withLock { $0.meter.begin(parties, isEnforced: limits.isEnforced, now: now) }
        guard let hit else { return pass }
        tell(hit, pass)
        guard !limits.isEnforced else { throw Refusal(hit) }
        return pass
    }

    /// What `admit` would find, and how much each party has used. Takes nothing, and tells nobody.
    func outlook(_ parties: [LimitedParty]) -> (hit: LimitHit?, usage: [RequestUsage]) {
        let now = MonotonicInstant.now
        return state.withLock { state in
            (state.meter.outlook(parties, now: now), parties.map { state.meter.usage(of: $0, now: now) })
        }
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

    /// Tells the log of a limit that was met, at most once a minute for each.
    private func tell(_ hit: LimitHit, _ pass: RequestPass) {
        let times = state.withLock { $0.warnings[hit.limit, default: RepeatedWarning()].happened() }
        guard let times else { return }
        logger.warning(
            pass.isEnforced ? "Limit reached" : "Limit reached, not enforced",
            metadata: [
                .limit: "\(hit.limit)", .peerAddress: "\(pass.address)", .tokenHint: "\(pass.tokenHint)",
                .times: .stringConvertible(times),
            ])
    }
}

/// The place of one request among those that limits are meant for. Used on its event loop.
final class RequestPass {
    private let meter: CallerMeter
    fileprivate let parties: [LimitedParty]
    fileprivate let isEnforced: Bool
    fileprivate let address: String
    fileprivate let tokenHint: String
    private let countsBytes: Bool
    private var isOver = false

    fileprivate init(
        _ meter: CallerMeter, _ parties: [LimitedParty], isEnforced: Bool, address: String, tokenHint: String
    ) {
        self.meter = meter
        self.parties = parties
        self.isEnforced = isEnforced
        self.address = address
        self.tokenHint = tokenHint
        countsBytes = parties.contains { $0.limits.byteRate != nil }
    }

    /// So many bytes have passed.
    ///
    /// - Returns: how long no more are to pass; nil where they may go on.
    func passed(_ count: Int) -> Duration? { countsBytes ? meter.passed(count, self) : nil }

    /// The request is over.
    func leave() {
        guard !isOver else { return }
        isOver = true
        meter.ended(parties)
    }
}
