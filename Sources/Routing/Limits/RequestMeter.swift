import TunnelConfiguration
package import TunnelProtocol

/// How much of what it may have a party has, at one moment.
package struct RequestUsage: Hashable, Sendable {
    /// Under way.
    package var requests = 0
    /// Requests that came lately, of the burst.
    package var requestRate = 0
    /// Bytes that went lately, of the burst.
    package var byteRate = 0
    /// Bytes that went this month.
    package var monthBytes: UInt64 = 0

    package init(requests: Int = 0, requestRate: Int = 0, byteRate: Int = 0) {
        self.requests = requests
        self.requestRate = requestRate
        self.byteRate = byteRate
    }
}

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
        if let hit = hasTooManyUnderWay(party) { return hit }
        guard let rate = party.limits.requestRate,
            let wait = requests[party.scope, default: RateBuckets()].take(party.identity, at: rate, now: now)
        else { return nil }
        return LimitHit(limit: LimitName(party.scope, .requestsPerSecond), retryAfter: wait)
    }

    private func hasTooManyUnderWay(_ party: LimitedParty) -> LimitHit? {
        guard let most = party.limits.requests, underWay[party.identity] >= most else { return nil }
        return LimitHit(limit: LimitName(party.scope, .requests), retryAfter: Self.patience)
    }

    /// What `begin` would return. Changes nothing.
    package func outlook(_ parties: [LimitedParty], now: MonotonicInstant) -> LimitHit? {
        for party in parties {
            if let hit = hasTooManyUnderWay(party) { return hit }
            guard let rate = party.limits.requestRate,
                let wait = requests[party.scope]?.wait(for: party.identity, at: rate, now: now)
            else { continue }
            return LimitHit(limit: LimitName(party.scope, .requestsPerSecond), retryAfter: wait)
        }
        return nil
    }

    /// How much of its limits a party has used.
    package func usage(of party: LimitedParty, now: MonotonicInstant) -> RequestUsage {
        let level = { (rate: RequestLimits.Rate?, buckets: RateBuckets<LimitedParty.Identity>?) in
            rate.map { buckets?.level(of: party.identity, at: $0, now: now) ?? 0 } ?? 0
        }
        return RequestUsage(
            requests: underWay[party.identity],
            requestRate: level(party.limits.requestRate, requests[party.scope]),
            byteRate: level(party.limits.byteRate, bytes[party.scope]))
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
