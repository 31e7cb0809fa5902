/// The name of a certificate's subject or issuer (RFC 5280 §4.1.2.4). Two are the same when their bytes are: that is
/// how an authority must write its own name into what it issues.
package struct DistinguishedName: Hashable, Sendable, CustomStringConvertible {
    package let der: [UInt8]
    /// For messages: as RFC 4514 writes it, the most specific part first, with a space behind commas; controls and the
    /// like are escaped, and it has at most 200 characters. `(no name)` for the empty one.
    package let description: String
    /// The most specific one, as it was written: not escaped, of any length. Nil too where it is no sound text.
    package let commonName: String?

    private struct Attribute {
        let type: ArraySlice<UInt8>
        let value: DERElement
    }

    private static let commonNameType: [UInt8] = [0x55, 4, 3]

    /// RFC 4514 §3, and those that X.520 and PKCS #9 add and OpenSSL shows.
    private static let shortNames: [[UInt8]: String] = [
        commonNameType: "CN", [0x55, 4, 4]: "SN", [0x55, 4, 5]: "serialNumber", [0x55, 4, 6]: "C",
        [0x55, 4, 7]: "L", [0x55, 4, 8]: "ST", [0x55, 4, 9]: "STREET", [0x55, 4, 10]: "O",
        [0x55, 4, 11]: "OU", [0x55, 4, 12]: "title", [0x55, 4, 15]: "businessCategory",
        [0x55, 4, 17]: "postalCode", [0x55, 4, 42]: "GN", [0x55, 4, 97]: "organizationIdentifier",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1]: "UID",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25]: "DC",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]: "emailAddress",
    ]

    init(_ element: DERElement, _ part: StaticString) throws(X509Error) {
        der = Array(element.whole)
        var sets: [[Attribute]] = []
        var reader = DERReader(element.content)
        while !reader.isAtEnd {
            var setReader = DERReader(try reader.read(DERTag.set, part).content)
            var attributes: [Attribute] = []
            while !setReader.isAtEnd {
                var pair = DERReader(try setReader.read(DERTag.sequence, part).content)
                let type = try pair.read(DERTag.objectIdentifier, part).content
                attributes.append(Attribute(type: type, value: try pair.read(part)))
                try pair.end(part)
            }
            sets.append(attributes)
        }
        description = Self.describe(sets)
        commonName = sets.joined().last { $0.type.elementsEqual(Self.commonNameType) }
            .flatMap { DERString.text(of: $0.value) }
    }

    private static func describe(_ sets: [[Attribute]]) -> String {
        var shown = ShownText()
        var separator = ""
        for attributes in sets.reversed() where !shown.isFull {
            for attribute in attributes.reversed() where !shown.isFull {
                shown.append(separator)
                append(attribute, to: &shown)
                separator = "+"
            }
            if !separator.isEmpty { separator = ", " }
        }
        return separator.isEmpty ? "(no name)" : shown.text
    }

    /// RFC 4514 §2.4.
    private static func append(_ attribute: Attribute, to shown: inout ShownText) {
        let type = attribute.type
        let name = type.count <= 16 ? shortNames[Array(type)] : nil
        shown.append((name ?? OID.text(type) ?? "(unknown type)") + "=")
        guard let text = DERString.text(of: attribute.value) else {
            shown.append("#")
            return shown.append(hex: attribute.value.whole, prefix: "")
        }
        let scalars = text.unicodeScalars
        let last = scalars.indices.last
        for index in scalars.indices {
            if shown.isFull { break }
            switch scalars[index] {
            case ",", "+", "\"", "<", ">", ";": shown.append("\\\(scalars[index])")
            case "#" where index == scalars.startIndex: shown.append("\\#")
            case " " where index == scalars.startIndex || index == last: shown.append("\\ ")
            default: shown.append(escaping: scalars[index])
            }
        }
    }
}

/// The string types of names (RFC 5280 §4.1.2.4, X.690 §8.23).
private enum DERString {
    /// Nil for what is no string, or not sound in its encoding: nothing is repaired, so that two never become the same.
    static func text(of element: DERElement) -> String? {
        let bytes = element.content
        switch element.tag {
        case 0x0c: return String(validating: bytes, as: UTF8.self)
        // NumericString, PrintableString, IA5String, VisibleString.
        case 0x12, 0x13, 0x16, 0x1a:
            return bytes.allSatisfy { $0 < 0x80 } ? String(decoding: bytes, as: UTF8.self) : nil
        // TeletexString: Latin-1 in all that was ever made.
        case 0x14: return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        // BMPString and UniversalString.
        case 0x1e: return units(bytes, of: 2).flatMap { text(scalars: $0) }
        case 0x1c: return units(bytes, of: 4).flatMap { text(scalars: $0) }
        default: return nil
        }
    }

    private static func units(_ bytes: ArraySlice<UInt8>, of size: Int) -> [UInt32]? {
        guard bytes.count % size == 0 else { return nil }
        return stride(from: bytes.startIndex, to: bytes.endIndex, by: size).map { start in
            bytes[start..<start + size].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    private static func text(scalars units: [UInt32]) -> String? {
        let scalars = units.compactMap { Unicode.Scalar($0) }
        return scalars.count == units.count ? String(String.UnicodeScalarView(scalars)) : nil
    }
}
