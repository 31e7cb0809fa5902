/// How many there are of each; of what there is none, nothing is kept.
///
/// Public for the reason that `StreamTable` is.
public struct Tally<Key: Hashable & Sendable>: Sendable {
    @usableFromInline var counts: [Key: Int] = [:]

    @inlinable public init() {}

    @inlinable public subscript(_ key: Key) -> Int { counts[key, default: 0] }

    @inlinable public mutating func add(_ key: Key) { counts[key, default: 0] += 1 }

    @inlinable public mutating func remove(_ key: Key) {
        guard let count = counts[key] else { return }
        counts[key] = count > 1 ? count - 1 : nil
    }
}
