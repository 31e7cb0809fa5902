import TunnelConfiguration

/// The tokens that have no session and are remembered for a while, by who served them last: in which order they are
/// forgotten. All in constant time.
///
/// When there are too many, who has the most of them gives one up, the oldest: so however many tokens somebody makes up,
/// those of others stay. Addresses stand in classes by how many tokens they have, each class up to twice the one before;
/// who has the most is somebody in the highest class, right to a factor of two.
struct RestingTokens: Sendable {
    /// Where a token stands in the table.
    typealias Slot = Int

    private struct Group: Sendable {
        var tokens = SlotList()
        var count = 0
        /// Where in its class it stands.
        var position = 0
    }

    private var times = SlotLinks()
    private var links = SlotLinks()
    /// All, the oldest first.
    private var byTime = SlotList()
    private var groups: [AddressGroup: Group] = [:]
    /// By the number of bits of their counts.
    private var classes: [[AddressGroup]] = []
    private var owners: [Slot: AddressGroup?] = [:]

    /// Who rests longest.
    var oldest: Slot? { byTime.first }
    /// The oldest of who has the most; nil when there are none but those that nobody owns.
    var mostExpendable: Slot? {
        classes.last?.last.flatMap { groups[$0]?.tokens.first }
    }

    func contains(_ slot: Slot) -> Bool { owners[slot] != nil }

    /// - Parameter owner: nil for a token that is given up for no other.
    mutating func insert(_ slot: Slot, owner: AddressGroup?) {
        remove(slot)
        owners.updateValue(owner, forKey: slot)
        times.append(slot, to: &byTime)
        guard let owner else { return }
        links.append(slot, to: &groups[owner, default: Group()].tokens)
        change(owner, by: 1)
    }

    mutating func remove(_ slot: Slot) {
        guard let owner = owners.removeValue(forKey: slot) else { return }
        times.remove(slot, from: &byTime)
        guard let owner else { return }
        links.remove(slot, from: &groups[owner, default: Group()].tokens)
        change(owner, by: -1)
    }

    private mutating func change(_ owner: AddressGroup, by difference: Int) {
        guard var group = groups[owner] else { return }
        let (before, after) = (Self.class(of: group.count), Self.class(of: group.count + difference))
        group.count += difference
        if before != after {
            if before > 0, let last = classes[before - 1].popLast(), last != owner {
                classes[before - 1][group.position] = last
                groups[last]?.position = group.position
            }
            if after > 0 {
                while classes.count < after { classes.append([]) }
                group.position = classes[after - 1].count
                classes[after - 1].append(owner)
            }
            while classes.last?.isEmpty == true { classes.removeLast() }
        }
        groups[owner] = group.count > 0 ? group : nil
    }

    private static func `class`(of count: Int) -> Int { Int.bitWidth - count.leadingZeroBitCount }
}

/// A list of slots, linked by `SlotLinks`.
struct SlotList: Sendable {
    fileprivate(set) var first: Int?
    fileprivate var last: Int?
}

/// The links of lists of which every slot stands in one at most.
struct SlotLinks: Sendable {
    private var previous: [Int?] = []
    private var next: [Int?] = []

    mutating func append(_ slot: Int, to list: inout SlotList) {
        while next.count <= slot {
            previous.append(nil)
            next.append(nil)
        }
        previous[slot] = list.last
        next[slot] = nil
        if let last = list.last { next[last] = slot } else { list.first = slot }
        list.last = slot
    }

    mutating func remove(_ slot: Int, from list: inout SlotList) {
        if let before = previous[slot] { next[before] = next[slot] } else { list.first = next[slot] }
        if let after = next[slot] { previous[after] = previous[slot] } else { list.last = previous[slot] }
    }
}
