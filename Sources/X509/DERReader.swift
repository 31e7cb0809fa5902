/// The tags that certificates use (X.690 §8.1.2, §8.14); others are skipped with what they hold.
enum DERTag {
    static let boolean: UInt8 = 0x01
    static let integer: UInt8 = 0x02
    static let bitString: UInt8 = 0x03
    static let octetString: UInt8 = 0x04
    static let objectIdentifier: UInt8 = 0x06
    static let utcTime: UInt8 = 0x17
    static let generalizedTime: UInt8 = 0x18
    static let sequence: UInt8 = 0x30
    static let set: UInt8 = 0x31

    /// `[number]` around other elements; up to 30.
    static func constructed(_ number: UInt8) -> UInt8 { 0xa0 | number }
    /// `[number]` in the place of a tag; up to 30.
    static func primitive(_ number: UInt8) -> UInt8 { 0x80 | number }
}

/// One element of DER. Its slices share the certificate's bytes: indices are places in the certificate.
struct DERElement {
    let tag: UInt8
    /// With tag and length.
    let whole: ArraySlice<UInt8>
    let content: ArraySlice<UInt8>
}

/// Reads elements one behind another (X.690 §10.1): definite lengths only, in the shortest form. What is inside of one
/// takes a reader of its own, so that nothing here recurs.
struct DERReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    /// - Parameter part: what it is in a certificate, for the message.
    mutating func read(_ part: StaticString) throws(X509Error) -> DERElement {
        let start = rest.startIndex
        var unread = rest
        guard let tag = unread.popFirst(), let first = unread.popFirst() else {
            throw .malformed(part, at: start, "is missing or cut off")
        }
        guard tag & 0x1f != 0x1f else { throw .malformed(part, at: start, "has a tag of several bytes") }
        var length = Int(first)
        if first >= 0x80 {
            // Three bytes count to 16 MiB, more than any certificate has.
            let count = Int(first & 0x7f)
            guard (1...3).contains(count) else {
                throw .malformed(part, at: start, "has no length, or one beyond all limits")
            }
            length = 0
            for _ in 0..<count {
                guard let byte = unread.popFirst() else { throw .malformed(part, at: start, "is cut off") }
                length = length << 8 | Int(byte)
            }
            guard length >= 0x80, length >> (8 * (count - 1)) > 0 else {
                throw .malformed(part, at: start, "does not write its length in the shortest form")
            }
        }
        guard length <= unread.count else { throw .malformed(part, at: start, "is cut off") }
        let content = unread.prefix(length)
        let element = DERElement(tag: tag, whole: rest[start..<content.endIndex], content: content)
        rest = rest[content.endIndex...]
        return element
    }

    mutating func read(_ tag: UInt8, _ part: StaticString) throws(X509Error) -> DERElement {
        let start = rest.startIndex
        let element = try read(part)
        guard element.tag == tag else { throw .malformed(part, at: start, "is of another type") }
        return element
    }

    /// The next element if it is of this type; it may be left out.
    mutating func readIfPresent(_ tag: UInt8, _ part: StaticString) throws(X509Error) -> DERElement? {
        guard rest.first == tag else { return nil }
        return try read(part)
    }

    /// Nothing may be left.
    func end(_ part: StaticString) throws(X509Error) {
        guard rest.isEmpty else { throw .malformed(part, at: rest.startIndex, "goes on where it should end") }
    }
}
