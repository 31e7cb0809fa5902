import struct NIOCore.ByteBuffer

// What a request says of where it goes and how long it is, brought into one form: whoever reads it behind us must not
// read something else.
extension RequestHead {
    /// Holds target and `Host` to the rules (RFC 9112 §3.2), and makes a target in absolute form one in origin form.
    ///
    /// - Throws: where the two name different hosts, or one of them none that can be.
    package mutating func settleTarget() throws(HTTPMessageError) {
        let hosts = fields.count(of: .host)
        guard hosts == 1 || hosts == 0 && version == .http10 else {
            throw HTTPMessageError(.malformed, "exactly one Host header is required")
        }
        guard hosts == 0 || fields.hasValidHost else {
            throw HTTPMessageError(.malformed, "the Host header is not host[:port]")
        }
        guard !holdsFragment else {
            throw HTTPMessageError(.malformed, "the target holds a fragment")
        }
        guard target.utf8.first != UInt8(ascii: "/") else { return }
        guard target != "*" else {
            guard method == "OPTIONS" else {
                throw HTTPMessageError(.malformed, "the target * is for OPTIONS alone")
            }
            return
        }
        try settleAbsoluteForm()
    }

    private var holdsFragment: Bool {
        let sign = UInt8(ascii: "#")
        let isThere = target.utf8.withContiguousStorageIfAvailable {
            UnsafeRawBufferPointer($0).firstByte(sign) != nil
        }
        return isThere ?? target.utf8.contains(sign)
    }

    private mutating func settleAbsoluteForm() throws(HTTPMessageError) {
        guard let (scheme, rest) = absoluteForm else { return }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        guard !authority.isEmpty, Authority.isValid(authority) else {
            throw HTTPMessageError(.malformed, "the target's host is not host[:port]")
        }
        if let host = fields[.host] {
            guard Authority.canonical(authority, scheme) == Authority.canonical(host[...], scheme) else {
                throw HTTPMessageError(.malformed, "the target and the Host header name different hosts")
            }
        } else {
            fields.append(.host, String(authority))
        }
        target = rest[end...].first == "/" ? String(rest[end...]) : "/" + rest[end...]
    }

    private var absoluteForm: (scheme: String, rest: Substring)? {
        let lowercased = target.prefix(8).lowercased()
        for scheme in ["http", "https"] where lowercased.hasPrefix(scheme + "://") {
            return (scheme, target.dropFirst(scheme.utf8.count + 3))
        }
        return nil
    }

    /// Makes the authority that came apart from the fields the one `Host` among them (RFC 9113 §8.3.1).
    ///
    /// - Throws: where both are there and name different hosts.
    mutating func settleHost(_ authority: String?, _ scheme: String) throws(HTTPMessageError) {
        guard let authority else { return }
        guard isValidAuthority(authority) else {
            throw HTTPMessageError(.malformed, "the authority is not host[:port]")
        }
        let hosts = fields.values(.host)
        let canonical = Authority.canonical(authority[...], scheme)
        guard hosts.count <= 1, hosts.allSatisfy({ Authority.canonical($0[...], scheme) == canonical }) else {
            throw HTTPMessageError(.malformed, "the authority and the Host header name different hosts")
        }
        fields.remove(.host)
        fields.append(.host, authority)
    }

    func isValidAuthority(_ text: String) -> Bool { !text.isEmpty && Authority.isValid(text[...]) }

    /// Writes `Content-Length` without leading zeros.
    package mutating func settleLength() throws(HTTPMessageError) {
        guard fields.hasPaddedLength, let length = try fields.contentLength() else { return }
        fields.remove(.contentLength)
        fields.append(.contentLength, String(length))
    }

    /// How many hops an OPTIONS or TRACE may still go, and one fewer from now on; nil for what has no bound (RFC 9110 §7.6.2).
    package mutating func takeHop() -> Int? {
        guard method == "OPTIONS" || method == "TRACE", let text = fields.first(named: Self.maxForwards),
            text.utf8.count <= 9, text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let hops = Int(text)
        else { return nil }
        fields.remove(named: Self.maxForwards)
        fields.append(named: Self.maxForwards, String(max(0, hops - 1)))
        return hops
    }

    private static let maxForwards = "Max-Forwards"
}

extension HeaderFields {
    /// Removes every field whose name equals `name` in any letter case: for names outside `FieldName`.
    mutating func remove(named name: String) {
        var name = name
        name.withUTF8 { name in
            removeNames { UnsafeRawBufferPointer(name).equalsIgnoringCase($0) }
        }
    }

    fileprivate var hasValidHost: Bool {
        guard let entry = first(.host) else { return false }
        return bytes.withUnsafeReadableBytes {
            Authority.isValid(UnsafeRawBufferPointer(rebasing: $0[entry.valueRange]))
        }
    }

    fileprivate var hasPaddedLength: Bool {
        guard let entry = first(.contentLength), entry.valueLength > 1 else {
            return false
        }
        return bytes.withUnsafeReadableBytes { $0[entry.valueRange.lowerBound] == UInt8(ascii: "0") }
    }
}

/// `host[:port]` (RFC 9110 §7.2, RFC 3986 §3.2.2).
private enum Authority {
    static func isValid(_ text: Substring) -> Bool {
        var text = text
        return text.withUTF8 { isValid(UnsafeRawBufferPointer($0)) }
    }

    /// An empty one is a way to say that there is none.
    static func isValid(_ text: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        if text.first == UInt8(ascii: "[") {
            guard let end = text.firstByte(UInt8(ascii: "]")), end > 1,
                text[1..<end].allSatisfy({
                    $0.hexadecimalValue != nil || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
                })
            else { return false }
            index = end + 1
        } else {
            while index < text.count, isNameByte(text[index]) { index += 1 }
        }
        guard index < text.count else { return true }
        guard text[index] == UInt8(ascii: ":"), text.count - index <= 6 else { return false }
        var port = 0
        while index + 1 < text.count {
            index += 1
            guard text[index] &- 0x30 < 10 else { return false }
            port = port * 10 + Int(text[index] &- 0x30)
        }
        return port <= 65_535
    }

    /// Of a registered name: unreserved, sub-delims, and the sign of an escape; a bit for each.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        let bits: UInt64 = byte < 64 ? 0x2bff_7ff2_0000_0000 : 0x47ff_fffe_87ff_fffe
        return byte < 128 && bits >> UInt64(byte & 63) & 1 == 1
    }

    /// In lower case and without the scheme's own port, for comparing.
    static func canonical(_ text: Substring, _ scheme: String) -> String {
        let lowercased = text.lowercased()
        for suffix in [":", scheme == "https" ? ":443" : ":80"] where lowercased.hasSuffix(suffix) {
            return String(lowercased.dropLast(suffix.utf8.count))
        }
        return lowercased
    }
}
