package import TunnelConfiguration
package import TunnelProtocol
import X509

/// What stands for a user and a password: who sees it learns neither.
package struct LoginDigest: Hashable, Sendable {
    fileprivate let bytes: [UInt8]
}

/// Makes them; no two processes alike.
package struct LoginKey: Sendable {
    private let bytes: [UInt8]

    /// - Parameter bytes: 32, at random.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The hash is a part of it: a password that was changed is another.
    package func digest(of claim: PasswordClaim) -> LoginDigest {
        let parts = [claim.user, claim.hash.text.secret, claim.password.secret]
        // Each of one length, so that no two claims come to the same bytes.
        let digests = parts.map { SHA256.hash(Array($0.utf8)) }
        return LoginDigest(bytes: SHA256.hash(bytes + digests.joined()))
    }
}

/// Passwords of callers that are being looked at, and those that were found right lately: a look takes a tenth of a second of
/// a processor, so it is done once for all requests that bring the same password, and not at all for a while after.
package struct LoginTable<Waiter: Sendable>: Sendable {
    /// How long a right password is good without another look.
    package static var memory: Duration { .seconds(300) }
    /// Most passwords that are remembered.
    package static var mostRemembered: Int { 4096 }
    /// Most that are looked at, or wait for that.
    package static var mostAtOnce: Int { 64 }
    /// Most of these from one address, so that others find room.
    package static var mostOfAddress: Int { 8 }
    /// Most requests that wait for them.
    package static var mostWaiters: Int { 4096 }

    /// What is to be done for a request.
    package enum Step: Sendable {
        /// It is let in.
        case isRight
        /// It waits, and the password is to be looked at.
        case look(LoginDigest)
        /// It waits for a look that is under way.
        case waits
        /// As many are looked at as may be.
        case isBusy
    }

    private struct Look: Sendable {
        let address: AddressGroup
        var waiters: [Waiter]
    }

    private var looks: [LoginDigest: Look] = [:]
    private var looksOfAddress: [AddressGroup: Int] = [:]
    private var waiterCount = 0
    /// Until when they are good.
    private var remembered: [LoginDigest: MonotonicInstant] = [:]
    /// In the order in which their time ends.
    private var ends: [LoginDigest] = []
    /// The first of them that may still be remembered.
    private var firstEnd = 0

    package init() {}

    /// Whether the password was found right lately.
    package func remembers(_ digest: LoginDigest, now: MonotonicInstant) -> Bool {
        remembered[digest].map { now < $0 } ?? false
    }

    /// A request came with a password.
    package mutating func enter(
        _ digest: LoginDigest, from address: AddressGroup, now: MonotonicInstant, waiter: Waiter
    ) -> Step {
        guard !remembers(digest, now: now) else { return .isRight }
        guard waiterCount < Self.mostWaiters else { return .isBusy }
        if looks[digest] != nil {
            looks[digest]?.waiters.append(waiter)
            waiterCount += 1
            return .waits
        }
        guard looks.count < Self.mostAtOnce, looksOfAddress[address, default: 0] < Self.mostOfAddress else {
            return .isBusy
        }
        looks[digest] = Look(address: address, waiters: [waiter])
        looksOfAddress[address, default: 0] += 1
        waiterCount += 1
        return .look(digest)
    }

    /// A password was looked at.
    ///
    /// - Returns: those that waited for it.
    package mutating func looked(_ digest: LoginDigest, isRight: Bool, now: MonotonicInstant) -> [Waiter] {
        guard let look = looks.removeValue(forKey: digest) else { return [] }
        waiterCount -= look.waiters.count
        let others = looksOfAddress[look.address, default: 1] - 1
        looksOfAddress[look.address] = others > 0 ? others : nil
        if isRight { remember(digest, now: now) }
        return look.waiters
    }

    private mutating func remember(_ digest: LoginDigest, now: MonotonicInstant) {
        forget(now: now)
        remembered[digest] = now.advanced(by: Self.memory)
        ends.append(digest)
    }

    /// Those whose time is over, and the oldest one where there are too many.
    private mutating func forget(now: MonotonicInstant) {
        while firstEnd < ends.count {
            let isOver = remembered[ends[firstEnd]].map { $0 <= now } ?? true
            guard isOver || ends.count - firstEnd >= Self.mostRemembered else { break }
            remembered[ends[firstEnd]] = nil
            firstEnd += 1
        }
        if firstEnd > Self.mostRemembered {
            ends.removeFirst(firstEnd)
            firstEnd = 0
        }
    }
}
