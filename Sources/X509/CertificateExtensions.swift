/// The two extensions that we read (RFC 5280 §4.2.1); of others only the frame.
struct CertificateExtensions {
    private(set) var isAuthority = false
    private(set) var alternativeNames: AlternativeNames?

    private static let basicConstraints: [UInt8] = [0x55, 0x1d, 19]
    private static let subjectAlternativeName: [UInt8] = [0x55, 0x1d, 17]

    /// - Parameter element: `[3]`, if the certificate has it.
    init(_ element: DERElement?) throws(X509Error) {
        guard let element else { return }
        let part: StaticString = "an extension"
        var wrapper = DERReader(element.content)
        var list = DERReader(try wrapper.read(DERTag.sequence, "the extensions").content)
        try wrapper.end("the extensions")
        var hasConstraints = false
        while !list.isAtEnd {
            var fields = DERReader(try list.read(DERTag.sequence, part).content)
            let type = try fields.read(DERTag.objectIdentifier, part)
            _ = try fields.readIfPresent(DERTag.boolean, part)
            let value = try fields.read(DERTag.octetString, part).content
            try fields.end(part)
            // §4.2: each at most once.
            if type.content.elementsEqual(Self.basicConstraints) {
                guard !hasConstraints else {
                    throw .malformed("basicConstraints", at: type.whole.startIndex, "is there twice")
                }
                hasConstraints = true
                isAuthority = try Self.isAuthority(value)
            } else if type.content.elementsEqual(Self.subjectAlternativeName) {
                guard alternativeNames == nil else {
                    throw .malformed("subjectAltName", at: type.whole.startIndex, "is there twice")
                }
                alternativeNames = try AlternativeNames(value)
            }
        }
    }

    /// §4.2.1.9.
    private static func isAuthority(_ value: ArraySlice<UInt8>) throws(X509Error) -> Bool {
        let part: StaticString = "basicConstraints"
        var reader = DERReader(value)
        var fields = DERReader(try reader.read(DERTag.sequence, part).content)
        try reader.end(part)
        guard let flag = try fields.readIfPresent(DERTag.boolean, part) else { return false }
        // X.690 §11.1; BoringSSL too takes no other. A length of the path may follow.
        guard flag.content.elementsEqual([0xff]) || flag.content.elementsEqual([0]) else {
            throw .malformed(part, at: flag.whole.startIndex, "is neither true nor false")
        }
        return flag.content.first == 0xff
    }
}

/// The subjectAltName (RFC 5280 §4.2.1.6). Kinds of names that are not here are skipped.
struct AlternativeNames: Sendable {
    private(set) var dnsNames: [String] = []
    private(set) var emails: [String] = []
    private(set) var uris: [String] = []
    /// 4 or 16 bytes each.
    private(set) var addresses: [[UInt8]] = []
    /// All of them, in the certificate's order, for messages.
    private(set) var shown: [String] = []

    init(_ value: ArraySlice<UInt8>) throws(X509Error) {
        let part: StaticString = "subjectAltName"
        var reader = DERReader(value)
        var list = DERReader(try reader.read(DERTag.sequence, part).content)
        try reader.end(part)
        while !list.isAtEnd {
            let name = try list.read(part)
            switch name.tag {
            case DERTag.primitive(1): append(name.content, to: \.emails)
            case DERTag.primitive(2): append(name.content, to: \.dnsNames)
            case DERTag.primitive(6): append(name.content, to: \.uris)
            case DERTag.primitive(7):
                let bytes = Array(name.content)
                guard let text = AddressText.text(of: bytes) else { continue }
                addresses.append(bytes)
                shown.append(text)
            default: break
            }
        }
    }

    /// A name with other bytes than printable ASCII is shown, but it names nobody.
    private mutating func append(_ bytes: ArraySlice<UInt8>, to names: WritableKeyPath<Self, [String]>) {
        guard !bytes.isEmpty else { return }
        shown.append(ShownText.escaped(ascii: bytes))
        guard bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else { return }
        self[keyPath: names].append(String(decoding: bytes, as: UTF8.self))
    }
}
