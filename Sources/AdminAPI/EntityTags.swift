import HTTPMessage

/// Entity tags of a condition (RFC 9110 §8.8.3, §13.1.1).
enum EntityTags {
    /// Those of `If-Match`, without quotes. A weak one matches nothing, and is left out.
    ///
    /// - Returns: nil where there is no condition, or any will do.
    static func wanted(by fields: HeaderFields) -> Set<String>? {
        guard fields.first(named: "If-Match") != nil else { return nil }
        let listed = fields.pairs.filter { $0.name.lowercased() == "if-match" }
            .flatMap { $0.value.split(separator: ",") }.map(trimmed)
        guard !listed.contains("*") else { return nil }
        return Set(
            listed.filter { $0.count >= 2 && $0.hasPrefix("\"") && $0.hasSuffix("\"") }
                .map { String($0.dropFirst().dropLast()) })
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
