package import TunnelConfiguration
package import TunnelProtocol

/// Which origins of a tunnel are up, and which of them has the next request: no I/O, no clock.
///
/// An origin is down as soon as no connection to it can be made, and once as many checks failed in a row as `fall` says. It
/// is up again once as many passed as `rise` says; where there are no checks, or all others are down too, a request now and
/// then tries it.
package struct OriginHealth: Sendable {
    /// How an origin has changed.
    package enum Change: Hashable, Sendable {
        case wentDown(Int, reason: String)
        case cameUp(Int)
    }

    /// What a request gets.
    package enum Choice: Hashable, Sendable {
        case origin(Int)
        /// All of them are down that were not tried, or all were.
        case none
    }

    /// Origins of which a request may have tried some.
    package struct Tried: Hashable, Sendable {
        private var bits: UInt64 = 0
        package init() {}
        package func contains(_ index: Int) -> Bool { bits >> UInt64(index) & 1 == 1 }
        package mutating func insert(_ index: Int) { bits |= 1 << UInt64(index) }
    }

    private enum State: Sendable {
        /// Next: refusing, failing.
        case up
        /// No connection could be made. Next: up, failing.
        case refusing(retry: MonotonicInstant)
        /// Checks say that it is down. Next: up.
        case failing
    }

    private struct Member: Sendable {
        var state = State.up
        var reason = ""
        /// Checks in a row with this outcome.
        var passed = 0
        var failed = 0
    }

    /// How long an origin is left alone to which no connection could be made.
    package static let pause: Duration = .seconds(10)

    private let balance: TunnelClientConfiguration.Balance
    private let check: HealthCheck?
    private var members: [Member]
    /// Where the next round begins.
    private var turn = 0

    /// - Parameter count: of origins, at most `OriginTarget.mostInList`; all are up until something else is known.
    package init(
        count: Int, balance: TunnelClientConfiguration.Balance = .first, check: HealthCheck? = nil
    ) {
        self.balance = balance
        self.check = check
        members = Array(repeating: Member(), count: count)
    }

    /// Why an origin is down; nil where it is up.
    package func reason(of index: Int) -> String? {
        if case .up = members[index].state { nil } else { members[index].reason }
    }

    /// Takes over what is known of an origin, as far as that can change again here.
    package mutating func inherit(_ index: Int, from other: OriginHealth, _ otherIndex: Int) {
        members[index] = other.members[otherIndex]
        (members[index].passed, members[index].failed) = (0, 0)
        // What checks have found out only checks could take back.
        if check == nil, case .failing = members[index].state { members[index] = Member() }
    }

    // MARK: Requests

    /// Which origin has a request.
    ///
    /// - Parameter tried: those to which it could not be brought.
    package mutating func choose(besides tried: Tried = Tried(), now: MonotonicInstant) -> Choice {
        let count = members.count
        let start = balance == .roundRobin ? turn : 0
        var lastResort: (index: Int, retry: MonotonicInstant)?
        for offset in 0..<count {
            let index = (start + offset) % count
            guard !tried.contains(index) else { continue }
            switch members[index].state {
            case .up: return take(index)
            case .refusing(let retry) where check == nil && retry <= now:
                // One request tries it: the others would have to wait for what becomes of that.
                members[index].state = .refusing(retry: now.advanced(by: Self.pause))
                return take(index)
            case .refusing(let retry):
                if lastResort.map({ retry < $0.retry }) ?? true { lastResort = (index, retry) }
            case .failing: continue
            }
        }
        return lastResort.map { take($0.index) } ?? .none
    }

    private mutating func take(_ index: Int) -> Choice {
        turn = (index + 1) % members.count
        return .origin(index)
    }

    /// A request was brought to an origin.
    package mutating func connected(to index: Int) -> Change? {
        // What checks ask for is more than a connection.
        guard case .refusing = members[index].state else { return nil }
        return comesUp(index)
    }

    /// No connection could be made to an origin.
    package mutating func cannotConnect(
        to index: Int, reason: String, now: MonotonicInstant
    ) -> Change? {
        let retry = now.advanced(by: Self.pause)
        switch members[index].state {
        case .up:
            members[index] = Member(state: .refusing(retry: retry), reason: reason)
            return .wentDown(index, reason: reason)
        case .refusing: members[index].state = .refusing(retry: retry)
        case .failing: break
        }
        return nil
    }

    // MARK: Checks

    /// A check passed.
    package mutating func passed(_ index: Int) -> Change? {
        members[index].failed = 0
        guard let check, self.reason(of: index) != nil else { return nil }
        members[index].passed += 1
        return members[index].passed >= check.rise ? comesUp(index) : nil
    }

    /// A check failed.
    package mutating func failed(_ index: Int, reason: String) -> Change? {
        members[index].passed = 0
        guard let check else { return nil }
        members[index].failed += 1
        guard members[index].failed >= check.fall else { return nil }
        let wasUp = self.reason(of: index) == nil
        members[index] = Member(state: .failing, reason: reason)
        return wasUp ? .wentDown(index, reason: reason) : nil
    }

    private mutating func comesUp(_ index: Int) -> Change {
        members[index] = Member()
        return .cameUp(index)
    }
}
