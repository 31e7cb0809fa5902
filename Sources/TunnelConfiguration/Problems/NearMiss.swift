/// "Did you mean": the name that a misspelt one most likely stands for.
package enum NearMiss {
    /// - Returns: the candidate with the fewest edits, if they are few for the length of the name.
    package static func nearest(to name: String, among candidates: [String]) -> String? {
        // Longer than any key: no near miss, and no time spent on it.
        guard name.utf8.count <= 40 else { return nil }
        let plain = folded(name)
        if let same = candidates.first(where: { folded($0) == plain }) { return same }
        // The start of exactly one name, such as "warn".
        let longer = candidates.filter { plain.count >= 3 && folded($0).starts(with: plain) }
        if longer.count == 1 { return longer[0] }
        let limit = max(1, plain.count / 3)
        return
            candidates
            .map { (name: $0, edits: edits(from: plain, to: folded($0))) }
            .filter { $0.edits <= limit }
            .min { ($0.edits, $0.name) < ($1.edits, $1.name) }?.name
    }

    /// The candidate that differs in letter case, `-` and `_` at most.
    static func same(as name: String, among candidates: [String]) -> String? {
        let plain = folded(name)
        return candidates.first { folded($0) == plain }
    }

    /// Lower case, `_` as `-`, so that `Base_Path` is `base-path`; and without `-`, so that `basePath` is too.
    static func folded(_ name: String) -> [UInt8] {
        Array(name.lowercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_") })
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment distance).
    private static func edits(from a: [UInt8], to b: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            for j in b.indices {
                var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    best = min(best, beforeLast[j - 1] + 1)
                }
                row.append(best)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
