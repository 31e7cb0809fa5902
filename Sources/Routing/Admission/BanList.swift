package import TunnelConfiguration
package import TunnelProtocol

/// Which addresses have guessed too often, and are shut out for a while.
///
/// Each address has a bucket of wrong guesses that empties with time; when it is full, the address is banned, each time for
/// twice as long. A guess that was among its last eight counts no second time: a tunnel client that tries its one wrong
/// password for ever, or a page that asks for its dead tunnel, guesses nothing. Half of the eight may be others' behind the
/// same address.
///
/// The entries are in a table of fixed size, in sets of eight, as those of `FailureThrottle` are: in a full set the newcomer
/// gets the place of one that is not banned, with the fewest guesses; where all are, of the one whose ban ends first.
package struct BanList: Sendable {
    private struct Entry: Sendable {
        var address = AddressGroup.unknown
        var isTaken = false
        /// What it tried last, hashed, and where the next one goes.
        var recent = SIMD8<Int>(repeating: 0)
        var next: UInt8 = 0
        /// How often it was banned.
        var bans: UInt8 = 0
        /// When all guesses are forgiven, in nanoseconds.
        var emptyAt: UInt64 = 0
        /// When its ban is over, or the last one was; 0 for none.
        var bannedUntil: UInt64 = 0
    }

    /// A ban that is in force.
    package struct Ban: Hashable, Sendable {
        package let address: AddressGroup
        /// How long it still lasts.
        package let left: Duration
        /// How often the address was banned, with this time.
        package let count: Int

        package init(address: AddressGroup, left: Duration, count: Int) {
            self.address = address
            self.left = left
            self.count = count
        }
    }

    /// Entries in a set.
    static var setSize: Int { 8 }
    /// 1.5 MiB of memory in all, from the first guess on. A power of two.
    static var setCount: Int { 1024 }
    /// 2 to the power of this is longer than any ban.
    private static var mostDoublings: UInt8 { 30 }

    /// None until somebody guesses.
    private var entries: [Entry] = []

    package init() {}

    /// An address was wrong about a secret.
    ///
    /// - Parameter guess: what with.
    /// - Returns: the ban that follows from it, or nil.
    package mutating func failed(
        _ address: AddressGroup, guess: String, _ rules: BanRules, now: MonotonicInstant
    ) -> Ban? {
        let index = place(of: address, now: now)
        guard entries[index].bannedUntil <= now.nanoseconds else { return nil }
        // 0 stands for none.
        let hash = guess.hashValue | 1
        guard !any(entries[index].recent .== SIMD8(repeating: hash)) else { return nil }
        entries[index].recent[Int(entries[index].next)] = hash
        entries[index].next = (entries[index].next + 1) % 8
        let within = Self.nanoseconds(rules.within)
        let level = max(entries[index].emptyAt, now.nanoseconds) + within / UInt64(max(1, rules.after))
        entries[index].emptyAt = level
        // The division leaves a rest, of at most as many nanoseconds as guesses.
        guard level + UInt64(rules.after) >= now.nanoseconds + within else { return nil }
        return ban(index, rules, now: now)
    }

    private mutating func ban(_ index: Int, _ rules: BanRules, now: MonotonicInstant) -> Ban {
        let longest = Self.nanoseconds(rules.longest)
        let wasLongAgo = entries[index].bannedUntil + longest <= now.nanoseconds
        let bans = wasLongAgo ? 0 : entries[index].bans
        let time = min(Self.nanoseconds(rules.duration) << UInt64(bans), longest)
        entries[index].bans = min(bans + 1, Self.mostDoublings)
        entries[index].bannedUntil = now.nanoseconds + time
        entries[index].emptyAt = 0
        entries[index].recent = SIMD8(repeating: 0)
        return Ban(
            address: entries[index].address, left: .nanoseconds(Int64(time)), count: Int(bans) + 1)
    }

    /// A ban of another list is in force here too.
    package mutating func restore(_ ban: Ban, now: MonotonicInstant) {
        guard ban.address != .unknown, ban.left > .zero, ban.count > 0 else { return }
        let index = place(of: ban.address, now: now)
        let until = now.advanced(by: ban.left).nanoseconds
        guard until > entries[index].bannedUntil else { return }
        entries[index].bannedUntil = until
        entries[index].bans = UInt8(clamping: min(ban.count, Int(Self.mostDoublings)))
    }

    /// How long the address is still banned; nil where it is not.
    package func timeLeft(of address: AddressGroup, now: MonotonicInstant) -> Duration? {
        guard !entries.isEmpty, let index = index(of: address),
            entries[index].bannedUntil > now.nanoseconds
        else { return nil }
        return .nanoseconds(Int64(entries[index].bannedUntil - now.nanoseconds))
    }

    /// All that are in force, in no order.
    package func bans(now: MonotonicInstant) -> [Ban] {
        entries.lazy.filter { $0.bannedUntil > now.nanoseconds }.map { entry in
            Ban(
                address: entry.address, left: .nanoseconds(Int64(entry.bannedUntil - now.nanoseconds)),
                count: Int(entry.bans))
        }
    }

    /// Forgets an address, or all: also what they guessed.
    ///
    /// - Returns: how many bans end by it.
    package mutating func lift(_ address: AddressGroup?, now: MonotonicInstant) -> Int {
        guard let address else {
            defer { entries = [] }
            return bans(now: now).count
        }
        guard let index = index(of: address) else { return 0 }
        defer { entries[index] = Entry() }
        return entries[index].bannedUntil > now.nanoseconds ? 1 : 0
    }

    private func index(of address: AddressGroup) -> Int? {
        guard !entries.isEmpty else { return nil }
        return set(of: address).first { entries[$0].isTaken && entries[$0].address == address }
    }

    private mutating func place(of address: AddressGroup, now: MonotonicInstant) -> Int {
        if entries.isEmpty {
            entries = Array(repeating: Entry(), count: Self.setCount * Self.setSize)
        }
        if let index = index(of: address) { return index }
        let set = set(of: address)
        let index = set.min { isSooner($0, $1, now: now) } ?? set.lowerBound
        entries[index] = Entry()
        entries[index].address = address
        entries[index].isTaken = true
        return index
    }

    /// Whether one of two entries is to go before the other.
    private func isSooner(_ first: Int, _ second: Int, now: MonotonicInstant) -> Bool {
        let until = (
            max(entries[first].bannedUntil, now.nanoseconds),
            max(entries[second].bannedUntil, now.nanoseconds)
        )
        return until.0 != until.1
            ? until.0 < until.1 : entries[first].emptyAt < entries[second].emptyAt
    }

    private func set(of address: AddressGroup) -> Range<Int> {
        let first = (address.hashValue & (Self.setCount - 1)) * Self.setSize
        return first..<first + Self.setSize
    }

    private static func nanoseconds(_ duration: Duration) -> UInt64 {
        MonotonicInstant(nanoseconds: 0).advanced(by: duration).nanoseconds
    }
}
