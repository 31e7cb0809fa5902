extension HostHeader {
    private static let words: KeyValuePairs<String, HostHeader> = [
        "auto": .automatic, "origin": .origin, "keep": .keep,
    ]

    /// Reads `auto`, `origin`, `keep`, or a host with or without a port.
    static func parse(_ text: String) throws(ValueFault) -> HostHeader {
        for (word, value) in words where word == text { return value }
        // A word that is misspelt must not become a host.
        guard text.contains(where: { ".:".contains($0) }) || text.lowercased() == "localhost" else {
            let near = NearMiss.nearest(to: text, among: words.map(\.key))
            throw ValueFault(
                "\(Quotation.of(text)) is unknown",
                advice: near.map { "did you mean \"\($0)\"?" }
                    ?? "write auto, origin, keep, or a host such as www.example.com or intranet:80")
        }
        guard isHostAndPort(text) else {
            throw ValueFault(
                "\(Quotation.of(text)) is no host",
                advice: "write a name or address, with a port if it needs one, such as www.example.com:8080")
        }
        return .named(text)
    }

    private static func isHostAndPort(_ text: String) -> Bool {
        var host = text[...]
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            let digits = text[text.index(after: colon)...]
            guard digits.utf8.allSatisfy({ $0 &- 0x30 < 10 }), (1...65_535).contains(Int(digits) ?? 0) else {
                return false
            }
            host = text[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            return host.contains(":") && URLText.isHost(host)
        }
        return !host.contains(":") && URLText.isHost(host)
    }

    /// As one would write it.
    package var shown: String {
        if case .named(let name) = self { return name }
        return Self.words.first { $0.value == self }?.key ?? ""
    }
}
