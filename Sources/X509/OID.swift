/// Object identifiers, by their content in DER (X.690 §8.19).
enum OID {
    /// Dotted decimal; nil for what is no identifier, or longer than any in use.
    static func text(_ content: ArraySlice<UInt8>) -> String? {
        guard !content.isEmpty, content.count <= 40 else { return nil }
        var arcs: [UInt128] = []
        var arc: UInt128 = 0
        var isComplete = true
        for byte in content {
            // §8.19.2: no leading zeros. 128 bits are an UUID (2.25).
            guard !isComplete || byte != 0x80, arc >> 121 == 0 else { return nil }
            arc = arc << 7 | UInt128(byte & 0x7f)
            isComplete = byte < 0x80
            if isComplete {
                arcs.append(arc)
                arc = 0
            }
        }
        guard isComplete, let first = arcs.first else { return nil }
        let root = min(first / 40, 2)
        return ([root, first - root * 40] + arcs.dropFirst()).map { "\($0)" }.joined(separator: ".")
    }
}
