/// Takes secrets out of texts: those that are known, and whatever stands where secrets do.
package struct Redaction: Sendable {
    /// Shorter ones would take half of each text with them; they are no secrets either.
    private static let shortest = 3
    private static let schemes = ["basic ", "bearer "]

    /// How many bytes of a secret it is looked up by; all of one that is shorter.
    private static let longestMark = 12

    /// By how they begin, then by their length. A text is gone through once, however many there are and however alike.
    private let secrets: [ArraySlice<UInt8>: [Int: Set<ArraySlice<UInt8>>]]
    /// The lengths of these beginnings.
    private let markLengths: [Int]
    /// Whether one begins with these two bytes: nearly nowhere in a text does one.
    private let isBegun: [Bool]

    /// - Parameter secrets: tokens, passwords and the like.
    package init(_ secrets: some Sequence<String>) {
        let known = Set(secrets.map { Array($0.utf8) }.filter { $0.count >= Self.shortest })
        self.secrets = Dictionary(grouping: known) { $0.prefix(Self.longestMark) }.mapValues { alike in
            Dictionary(grouping: alike.map { $0[...] }, by: \.count).mapValues(Set.init)
        }
        markLengths = Set(self.secrets.keys.map(\.count)).sorted()
        var isBegun = [Bool](repeating: false, count: 1 << 16)
        for secret in known { isBegun[Self.index(secret[0], secret[1])] = true }
        self.isBegun = isBegun
    }

    private static func index(_ first: UInt8, _ second: UInt8) -> Int { Int(first) << 8 | Int(second) }

    package func apply(to text: String) -> String {
        withoutSecrets(text).split(separator: "\n", omittingEmptySubsequences: false).map { line in
            Self.withoutCredentials(Self.withoutTokens(Self.withoutSchemes(String(line))))
        }.joined(separator: "\n")
    }

    /// Where several overlap, all of them are hidden.
    private func withoutSecrets(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var shown: [UInt8] = []
        shown.reserveCapacity(bytes.count)
        var end = 0
        for place in bytes.indices {
            let length = longestSecret(in: bytes[place...])
            if length > 0, place >= end { shown += "***".utf8 }
            end = max(end, place + length)
            if place >= end { shown.append(bytes[place]) }
        }
        return String(decoding: shown, as: UTF8.self)
    }

    /// - Returns: how long the longest is that stands at the beginning; 0 for none.
    private func longestSecret(in bytes: ArraySlice<UInt8>) -> Int {
        guard bytes.count >= Self.shortest,
            isBegun[Self.index(bytes[bytes.startIndex], bytes[bytes.startIndex + 1])]
        else { return 0 }
        var longest = 0
        for length in markLengths where length <= bytes.count {
            for (length, alike) in secrets[bytes.prefix(length)] ?? [:]
            where length > longest && length <= bytes.count && alike.contains(bytes.prefix(length)) {
                longest = length
            }
        }
        return longest
    }

    /// `Authorization: Basic …` and `Bearer …`, wherever they stand.
    private static func withoutSchemes(_ line: String) -> String {
        schemes.reduce(line) { line, scheme in
            hidden(line, behind: scheme) { $0 == " " || $0 == "\"" || $0 == "," }
        }
    }

    /// `/_token/…`
    private static func withoutTokens(_ line: String) -> String {
        hidden(line, behind: "/_token/") { $0 == "/" || $0 == " " || $0 == "\"" || $0 == "?" }
    }

    private static func hidden(
        _ line: String, behind mark: String, upTo isEnd: (Character) -> Bool
    ) -> String {
        var shown = ""
        var rest = line[...]
        while let place = rest.firstRange(ofLowercased: mark) {
            shown += rest[..<place.upperBound]
            let secret = rest[place.upperBound...].prefix { !isEnd($0) }
            if !secret.isEmpty { shown += "***" }
            rest = rest[secret.endIndex...]
        }
        return shown + rest
    }

    /// `scheme://user:password@host`
    private static func withoutCredentials(_ line: String) -> String {
        var shown = ""
        var rest = line[...]
        while let place = rest.firstRange(ofLowercased: "://") {
            shown += rest[..<place.upperBound]
            let authority = rest[place.upperBound...].prefix {
                $0 != "/" && $0 != " " && $0 != "\"" && $0 != "?"
            }
            rest = rest[place.upperBound...]
            guard let at = authority.lastIndex(of: "@") else { continue }
            shown += "***"
            rest = rest[at...]
        }
        return shown + rest
    }
}

extension Substring {
    /// Of ASCII in lower case, whatever the case here.
    fileprivate func firstRange(ofLowercased text: String) -> Range<Index>? {
        func isSame(_ here: UInt8, _ wanted: UInt8) -> Bool {
            here == wanted || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(here) && here | 0x20 == wanted
        }
        for start in utf8.indices where utf8[start...].starts(with: text.utf8, by: isSame) {
            return start..<utf8.index(start, offsetBy: text.utf8.count)
        }
        return nil
    }
}
