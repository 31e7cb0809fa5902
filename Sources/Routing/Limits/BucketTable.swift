/// Buckets that fill with what parties do and empty with time, each kept as the moment at which it will be empty.
///
/// There is a fixed number of them, in sets of eight: a party's set follows from a hash that is seeded at random in each
/// process, and in a full set the emptiest bucket goes to the newcomer. So nothing grows or is swept, and nobody can aim at
/// another's set. Parties are told apart by 64 bits of the hash, so that two of a set are taken for one once in some 10^18
/// times.
struct BucketTable<Note: Sendable>: Sendable {
    struct Bucket: Sendable {
        fileprivate var party = 0
        /// When it is empty, in nanoseconds.
        var emptyAt: UInt64 = 0
        var note: Note
    }

    static var setSize: Int { 8 }

    private let setCount: Int
    private let blank: Bucket
    /// None until somebody needs one.
    private var buckets: [Bucket] = []

    /// - Parameters:
    ///   - setCount: a power of two.
    ///   - note: what stands in a bucket that nobody has used yet.
    init(setCount: Int, note: Note) {
        self.setCount = setCount
        blank = Bucket(note: note)
    }

    /// - Parameter index: that `find` or `place` told, with no other `place` in between.
    subscript(index: Int) -> Bucket {
        get { buckets[index] }
        set { buckets[index] = newValue }
    }

    /// Where the bucket of a party is; nil where it has none.
    func find(_ party: some Hashable) -> Int? {
        guard !buckets.isEmpty else { return nil }
        let hash = party.hashValue
        return set(of: hash).first { buckets[$0].party == hash }
    }

    /// Where the bucket of a party is, or its new one.
    mutating func place(of party: some Hashable) -> Int {
        if buckets.isEmpty { buckets = Array(repeating: blank, count: setCount * Self.setSize) }
        let hash = party.hashValue
        let set = set(of: hash)
        var emptiest = set.lowerBound
        for index in set {
            if buckets[index].party == hash { return index }
            if buckets[index].emptyAt < buckets[emptiest].emptyAt { emptiest = index }
        }
        buckets[emptiest] = blank
        buckets[emptiest].party = hash
        return emptiest
    }

    private func set(of hash: Int) -> Range<Int> {
        let first = (hash & (setCount - 1)) * Self.setSize
        return first..<first + Self.setSize
    }
}

extension BucketTable<Void> {
    init(setCount: Int) { self.init(setCount: setCount, note: ()) }
}
