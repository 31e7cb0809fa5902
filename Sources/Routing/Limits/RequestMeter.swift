import TunnelConfiguration
package import TunnelProtocol

/// What requests take of what their address, their name and their token may have: how many are under way, how many come in a second,
/// and how many bytes go.
///
/// Nothing is kept for whom no limit is meant. Counts of requests under way are exact, and are kept while there are any;
/// rates are kept in tables of fixed size, one for each kind of party: strangers who come from many addresses push out no
/// token.
package struct RequestMeter: Sendable {
    private var underWay = Tally<LimitedParty.Identity>()
    private var requests: [LimitName.Scope: RateBuckets<LimitedParty.Identity>] = [:]
    private var bytes: [LimitName.Scope: RateBuckets<LimitedParty.Identity>] = [:]

    /// When to try again: a request has to end first, and nobody knows when that is.
    private static let patience: Duration = .seconds(1)

    package init() {}

    /// A request comes: it takes its place with all its parties, or with none of them.
    ///
    /// - Parameters:
    ///   - parties: who is meant, the narrowest first: who is refused there takes nothing of what others have.
    ///   - isEnforced: whether one that goes beyond a limit is refused; else it takes its place all the same.
    /// - Returns: the limit that it goes beyond, the first of several; nil for none.
    package mutating func begin(
        _ parties: [LimitedParty], isEnforced: Bool, now: MonotonicInstant
    ) -> LimitHit? {
        var hit: LimitHit?
        for party in parties {
            hit = hit ?? goesBeyond(party, now: now)
            if isEnforced, let hit { return hit }
        }
        for party in parties where party.limits.requests != nil { underWay.add(party.identity) }
        return hit
    }

    private mutating func goesBeyond(_ party: LimitedParty, now: MonotonicInstant) -> LimitHit? {
        if let most = party.limits.requests, underWay[party.identity] >= most {
            return LimitHit(limit: LimitName(party.scope, .requests), retryAfter: Self.patience)
        }
        guard let rate = party.limits.requestRate,
            let wait = requests[party.scope, default: RateBuckets()].take(party.identity, at: rate, now: now)
        else { return nil }
        return LimitHit(limit: LimitName(party.scope, .requestsPerSecond), retryAfter: wait)
    }

    /// A request that took its place is over.
    ///
    /// - Parameter parties: those that it began with.
    package mutating func end(_ parties: [LimitedParty]) {
        for party in parties where party.limits.requests != nil { underWay.remove(party.identity) }
    }

    /// So many bytes of its bodies have passed.
    ///
    /// - Returns: how long no more are to pass, and the limit that says so; nil where they may go on.
    package mutating func passed(
        _ count: Int, _ parties: [LimitedParty], now: MonotonicInstant
    ) -> LimitHit? {
        var longest: LimitHit?
        for party in parties {
            guard let rate = party.limits.byteRate else { continue }
            let wait = bytes[party.scope, default: RateBuckets()]
                .took(count, party.identity, at: rate, now: now)
            guard wait > longest?.retryAfter ?? .zero else { continue }
            longest = LimitHit(limit: LimitName(party.scope, .bytesPerSecond), retryAfter: wait)
        }
        return longest
    }
}
