/// What secrets bring along that is no part of them.
enum SecretText {
    /// The byte order mark that some editors write at the head of a file.
    static func withoutMark(_ bytes: [UInt8]) -> [UInt8] {
        bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
    }

    /// A secret as it counts: without a byte order mark, and without the end of its line, as in a file.
    /// - Throws: when what is left can hardly be meant so; never holds the secret.
    static func cleaned(_ text: String) throws(ValueFault) -> String {
        var rest = text.unicodeScalars[...]
        if rest.first == "\u{feff}" { rest = rest.dropFirst() }
        while let last = rest.last, last == "\n" || last == "\r" { rest = rest.dropLast() }
        guard let first = rest.first, let last = rest.last else {
            throw ValueFault("the secret is empty", advice: "give one")
        }
        guard !rest.contains(where: { $0 == "\n" || $0 == "\r" }) else {
            throw ValueFault("the secret has more than one line", advice: "keep the one that it is")
        }
        guard !isSpace(first), !isSpace(last) else {
            let end = isSpace(first) ? "starts" : "ends"
            throw ValueFault("the secret \(end) with white space", advice: "remove it")
        }
        return String(rest)
    }

    /// What nobody sees at the end of a line: white space of every kind, and marks without width.
    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || scalar == "\u{feff}" || scalar == "\u{200b}"
    }
}
