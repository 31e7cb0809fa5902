/// Which clients were let in by the right password, so that others' wrong ones do not shut them out.
///
/// A client is known by a text that it made up at random and told nobody but the server. Of each group (who could be shut
/// out together) the last `groupSize` are kept, as 64 bits of a hash that is seeded at random in each process. Groups share
/// a fixed number of places: who fills one of them with clients of its own pushes out one group in `groupCount`.
package struct KnownClients<Group: Hashable & Sendable>: Sendable {
    private struct Member: Hashable {
        var group: Group
        var client: String
    }

    /// Clients of a group.
    package static var groupSize: Int { 8 }
    /// 64 KiB of memory in all, from the first client on. A power of two.
    package static var groupCount: Int { 1024 }

    /// In each group the last one first; 0 for none.
    private var clients: [Int] = []

    package init() {}

    package func contains(_ client: String, of group: Group) -> Bool {
        !clients.isEmpty && clients[places(of: group)].contains(Self.hash(client, group))
    }

    package mutating func insert(_ client: String, of group: Group) {
        if clients.isEmpty { clients = Array(repeating: 0, count: Self.groupCount * Self.groupSize) }
        let (places, hash) = (places(of: group), Self.hash(client, group))
        let old = clients[places].firstIndex(of: hash) ?? places.upperBound - 1
        for place in (places.lowerBound..<old).reversed() { clients[place + 1] = clients[place] }
        clients[places.lowerBound] = hash
    }

    private static func hash(_ client: String, _ group: Group) -> Int {
        Member(group: group, client: client).hashValue
    }

    private func places(of group: Group) -> Range<Int> {
        let first = (group.hashValue & (Self.groupCount - 1)) * Self.groupSize
        return first..<first + Self.groupSize
    }
}
