// Heads of versions of HTTP whose fields come apart from each other (RFC 9113 §8.2): held to what holds for a text, and to
// what those versions ask beyond that. What goes on as a text must not be another one than was meant.
extension HeaderFields {
    /// Appends a field as it came.
    ///
    /// - Throws: for a name that is no token or has capitals, or a value with control characters or with white space around
    ///   it (RFC 9113 §8.2.1).
    package mutating func append(received name: String, _ value: String) throws(HTTPMessageError) {
        try Self.check(received: name, value)
        append(named: name, value)
    }

    /// Holds a field to the same rules.
    package static func check(received name: String, _ value: String) throws(HTTPMessageError) {
        guard Self.isLowercaseToken(name) else {
            throw HTTPMessageError(.malformed, "malformed header field name")
        }
        guard Self.isTrimmedText(value) else {
            throw HTTPMessageError(
                .malformed, "control character or outer white space in a header field value")
        }
    }

    private static func isLowercaseToken(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            !bytes.isEmpty && bytes.allSatisfy { $0.isTokenByte && !(0x41...0x5a ~= $0) }
        }
    }

    private static func isTrimmedText(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { bytes in
            guard let first = bytes.first, let last = bytes.last else { return true }
            return !first.isOptionalWhitespace && !last.isOptionalWhitespace
                && !UnsafeRawBufferPointer(bytes).hasControlCharacter(in: 0..<bytes.count)
        }
    }
}

extension RequestHead {
    /// A head whose parts came apart from each other.
    ///
    /// - Parameters:
    ///   - authority: what is asked for the request in place of a `Host`; both must say the same.
    ///   - fields: as `append(received:_:)` took them.
    /// - Throws: for parts that could not stand in a request line, or are larger than the limits, and where host and target
    ///   break the rules of `settleTarget`.
    package init(
        method: String, path: String, scheme: String, authority: String?, fields: HeaderFields,
        limits: HTTPLimits
    ) throws(HTTPMessageError) {
        try Self.checkMethod(method)
        guard path.utf8.count + method.utf8.count + 10 <= limits.startLineBytes else {
            throw HTTPMessageError(.targetTooLong, "start line too long")
        }
        self.init(method: method, target: path, fields: fields)
        // Bytes that were no UTF-8 are read as this character.
        guard hasWritableLine, !path.unicodeScalars.contains("\u{fffd}") else {
            throw HTTPMessageError(.malformed, "malformed request target")
        }
        guard path.utf8.first == UInt8(ascii: "/") || path == "*" else {
            throw HTTPMessageError(.malformed, "the request target must be a path")
        }
        guard scheme == "http" || scheme == "https" else {
            throw HTTPMessageError(.malformed, "a scheme other than http and https")
        }
        try settleHost(authority, scheme)
        try settleTarget()
        try settleLength()
        guard lineBytes + self.fields.writtenBytes <= limits.headBytes, self.fields.count <= limits.fieldCount
        else { throw HTTPMessageError(.headTooLarge, "header fields too large") }
    }

    /// One that asks for a connection to somewhere (RFC 9110 §9.3.6).
    package init(connectingTo authority: String, fields: HeaderFields) throws(HTTPMessageError) {
        self.init(method: "CONNECT", target: authority, fields: fields)
        guard hasWritableLine, isValidAuthority(authority) else {
            throw HTTPMessageError(.malformed, "the target's host is not host[:port]")
        }
    }

    private var lineBytes: Int { method.utf8.count + target.utf8.count + 14 }
}
