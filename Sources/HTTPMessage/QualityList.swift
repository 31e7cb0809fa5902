/// What a list such as that of `Accept` or `Accept-Encoding` asks for (RFC 9110 §12.4.2, §12.5).
package struct QualityList: Sendable {
    package struct Element: Sendable, Equatable {
        /// In lower case, without parameters.
        package let value: String
        /// Names in lower case, values without quotes; those before `q`.
        package let parameters: [String: String]
        /// In thousandths: 0 where it is not wanted.
        package let quality: Int
    }

    /// Elements that are looked at: more are nobody's honest wish.
    private static let most = 32

    /// In the order in which they stand; what makes no sense is left out.
    package let elements: [Element]

    /// - Parameter text: of all fields of the name, joined by commas.
    package init(_ text: String) {
        elements = text.split(separator: ",").prefix(Self.most).compactMap { Self.element($0) }
    }

    /// Those of all fields with this name.
    package init(_ fields: HeaderFields, named name: String) {
        let name = name.lowercased()
        self.init(
            fields.pairs.lazy.filter { $0.name.lowercased() == name }.map(\.value).joined(separator: ","))
    }

    /// How much a coding of content is wanted, in thousandths; 0 where it is not, or nothing is said of it.
    package func quality(ofCoding coding: String) -> Int {
        (elements.first { $0.value == coding } ?? elements.first { $0.value == "*" })?.quality ?? 0
    }

    private static func element(_ text: Substring) -> Element? {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
        guard let value = parts.first, !value.isEmpty else { return nil }
        var parameters: [String: String] = [:]
        var quality = 1000
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1).map(trimmed)
            guard pair.count == 2 else { continue }
            let name = pair[0].lowercased()
            guard name == "q" else {
                parameters[name] = pair[1].filter { $0 != "\"" }
                continue
            }
            guard let thousandths = thousandths(pair[1]) else { return nil }
            quality = thousandths
            break
        }
        return Element(value: value.lowercased(), parameters: parameters, quality: quality)
    }

    /// `0.123` as 123; nil where that is no weight.
    private static func thousandths(_ text: Substring) -> Int? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let places = parts.count > 1 ? parts[1] : ""
        guard let whole = parts.first, whole == "0" || whole == "1", places.count <= 3,
            places.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let fraction = Int(places + String(repeating: "0", count: 3 - places.count))
        else { return nil }
        let value = (whole == "1" ? 1000 : 0) + fraction
        return value <= 1000 ? value : nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }
}
