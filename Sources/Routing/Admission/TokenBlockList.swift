package import TunnelProtocol

/// Tokens that are not served for a while, known by digests: none is kept.
package struct TokenBlockList: Sendable {
    package struct Block: Hashable, Sendable {
        /// The first characters of the token.
        package var hint: String
        /// Tells apart tokens that begin alike.
        package var tag: String
        /// In seconds since 1970.
        package var since: Int
        /// Nil for until it is lifted.
        package var end: MonotonicInstant?
        /// Who asked for it, for people.
        package var by: String

        package init(hint: String, tag: String, since: Int, end: MonotonicInstant?, by: String) {
            self.hint = hint
            self.tag = tag
            self.since = since
            self.end = end
            self.by = by
        }
    }

    /// Most at once.
    package static let most = 10_000

    private var blocks: [[UInt8]: Block] = [:]

    package init() {}

    /// Blocks a token, or blocks it otherwise.
    ///
    /// - Returns: false where there is no room.
    package mutating func add(_ block: Block, _ digest: [UInt8], now: MonotonicInstant) -> Bool {
        if blocks.count >= Self.most { forgetOld(now: now) }
        guard blocks.count < Self.most || blocks[digest] != nil else { return false }
        blocks[digest] = block
        return true
    }

    package func contains(_ digest: [UInt8], now: MonotonicInstant) -> Bool {
        blocks[digest].map { $0.isInForce(now) } ?? false
    }

    /// - Returns: whether it was blocked.
    package mutating func lift(_ digest: [UInt8], now: MonotonicInstant) -> Bool {
        blocks.removeValue(forKey: digest)?.isInForce(now) ?? false
    }

    /// Lifts the blocks that are shown so; all where nothing is said.
    ///
    /// - Returns: how many there were.
    package mutating func lift(hint: String?, tag: String?, now: MonotonicInstant) -> Int {
        forgetOld(now: now)
        let before = blocks.count
        blocks = blocks.filter { _, block in block.hint != hint ?? block.hint || block.tag != tag ?? block.tag
        }
        return before - blocks.count
    }

    /// Those in force, in the order in which they came.
    package func all(now: MonotonicInstant) -> [(digest: [UInt8], block: Block)] {
        blocks.filter { $0.value.isInForce(now) }
            .map { (digest: $0.key, block: $0.value) }
            .sorted { one, other in
                (one.block.since, one.block.hint, one.block.tag)
                    < (other.block.since, other.block.hint, other.block.tag)
            }
    }

    /// How many are in force.
    package func count(now: MonotonicInstant) -> Int { blocks.values.count { $0.isInForce(now) } }

    /// Whether any may be in force.
    package var isEmpty: Bool { blocks.isEmpty }

    private mutating func forgetOld(now: MonotonicInstant) {
        blocks = blocks.filter { $0.value.isInForce(now) }
    }
}

extension TokenBlockList.Block {
    fileprivate func isInForce(_ now: MonotonicInstant) -> Bool { end.map { now < $0 } ?? true }
}
