/// Comparison of secrets in a time that does not tell where they differ.
package enum ConstantTime {
    /// Whether two texts are the same, byte for byte. The time depends on the length of `candidate` alone, which
    /// its sender knows anyway.
    package static func areEqual(_ candidate: String, _ secret: String) -> Bool {
        let (left, right) = (Array(candidate.utf8), Array(secret.utf8))
        var difference = left.count ^ right.count
        for (index, byte) in left.enumerated() {
            let other = right.isEmpty ? 0 : right[index % right.count]
            difference |= Int(byte ^ other)
        }
        return difference == 0
    }
}
