package import struct NIOCore.ByteBuffer

/// The version a peer spoke. Later 1.x versions count as 1.1 (RFC 9110 §2.5).
package enum HTTPVersion: Sendable, Equatable {
    case http10
    case http11
}

/// Request line and header fields (RFC 9112 §3, §5).
package struct RequestHead: Sendable, Equatable {
    /// Any token, at most 32 bytes; letter case matters.
    package var method: String
    /// Request target as it came: origin form for everything that crosses the tunnel.
    package var target: String
    package var version: HTTPVersion
    package var fields: HeaderFields

    package init(
        method: String, target: String, version: HTTPVersion = .http11, fields: HeaderFields = HeaderFields()
    ) {
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
    }

    /// Whether the connection may carry another request afterwards (RFC 9112 §9.3).
    package var allowsKeepAlive: Bool { fields.allowKeepAlive(version) }

    /// Whether method and target can stand in a request line: neither is empty, or holds white space or control characters.
    package var hasWritableLine: Bool {
        var (method, target) = (method, target)
        return method.withUTF8 { !$0.isEmpty && $0.allSatisfy { $0 > 0x20 && $0 < 0x7f } }
            && target.withUTF8 { !$0.isEmpty && $0.allSatisfy { $0 > 0x20 && $0 != 0x7f } }
    }

    /// Whether the caller asks to leave HTTP for another protocol (RFC 9110 §7.8), be it one that may not pass.
    package var asksForUpgrade: Bool {
        version == .http11 && fields.contains(.upgrade) && fields.list(.connection, contains: "upgrade")
    }
}

extension RequestHead {
    @inline(__always)
    func writeLine(to cursor: inout ByteCursor) {
        cursor.append(utf8: method)
        cursor.append(" ")
        cursor.append(utf8: target)
        cursor.append(" HTTP/1.1\r\n")
    }
}

/// Status line and header fields (RFC 9112 §4, §5).
package struct ResponseHead: Sendable, Equatable {
    /// 100 to 999.
    package var status: Int
    /// Anything a peer writes after the status; often empty, never relied upon.
    package var reason: String
    package var version: HTTPVersion
    package var fields: HeaderFields

    package init(
        status: Int, reason: String? = nil, version: HTTPVersion = .http11,
        fields: HeaderFields = HeaderFields()
    ) {
        self.status = status
        self.reason = reason ?? ReasonPhrase.standard(status)
        self.version = version
        self.fields = fields
    }

    /// Whether this is an interim answer, to be followed by the final one (RFC 9110 §15.2). 101 is final.
    package var isInterim: Bool { status < 200 && status != 101 }

    /// Whether the connection may carry another exchange afterwards (RFC 9112 §9.3).
    package var allowsKeepAlive: Bool { fields.allowKeepAlive(version) }
}

extension HeaderFields {
    fileprivate func allowKeepAlive(_ version: HTTPVersion) -> Bool {
        guard contains(.connection) else { return version == .http11 }
        if saysKeepAliveAlone { return true }
        if list(.connection, contains: "close") { return false }
        return version == .http11 || list(.connection, contains: "keep-alive")
    }
}

extension ByteBuffer {
    /// Writes a request head as HTTP/1.1, the empty line included.
    package mutating func writeRequestHead(_ head: RequestHead) {
        let lineBytes = head.method.utf8.count + head.target.utf8.count + 12
        writeHead(head.fields, behind: lineBytes) { head.writeLine(to: &$0) }
    }

    /// The same with more fields behind its own.
    mutating func writeRequestHead(_ head: RequestHead, behindWhich gain: borrowing ForwardingGain) {
        let lineBytes = head.method.utf8.count + head.target.utf8.count + 12
        let bytes = lineBytes + head.fields.writtenBytes + gain.writtenBytes + 2
        writeWithUnsafeMutableBytes(minimumWritableBytes: bytes) { memory in
            var cursor = ByteCursor(memory)
            head.writeLine(to: &cursor)
            head.fields.write(to: &cursor)
            gain.write(to: &cursor)
            cursor.append("\r\n")
            return cursor.count
        }
    }

    /// Writes a request head whose `Host` is not among its fields: in front of them (RFC 9110 §7.2).
    package mutating func writeRequestHead(
        method: String, target: String, host: String, fields: HeaderFields
    ) {
        writeHead(fields, behind: method.utf8.count + target.utf8.count + host.utf8.count + 20) { line in
            line.append(utf8: method)
            line.append(" ")
            line.append(utf8: target)
            line.append(" HTTP/1.1\r\nHost: ")
            line.append(utf8: host)
            line.append("\r\n")
        }
    }

    /// Writes a response head as HTTP/1.1, the empty line included.
    package mutating func writeResponseHead(_ head: ResponseHead) {
        let status = UInt(clamping: head.status)
        let digits = status.decimalDigits
        writeHead(head.fields, behind: digits + head.reason.utf8.count + 12) { line in
            line.append("HTTP/1.1 ")
            line.append(decimal: status, digits: digits)
            line.append(" ")
            line.append(utf8: head.reason)
            line.append("\r\n")
        }
    }

    /// Writes a start line of so many bytes, its CRLF included, then the fields and the empty line. Inlined, as a call of the closure was measured at a quarter of the whole.
    @inline(__always)
    private mutating func writeHead(
        _ fields: HeaderFields, behind startLineBytes: Int, startLine: (inout ByteCursor) -> Void
    ) {
        let bytes = startLineBytes + fields.writtenBytes + 2
        writeWithUnsafeMutableBytes(minimumWritableBytes: bytes) { memory in
            var cursor = ByteCursor(memory)
            startLine(&cursor)
            fields.write(to: &cursor)
            cursor.append("\r\n")
            return cursor.count
        }
    }
}

extension UInt {
    /// How many digits it takes to write it.
    fileprivate var decimalDigits: Int {
        var (digits, rest) = (1, self / 10)
        while rest > 0 {
            digits += 1
            rest /= 10
        }
        return digits
    }
}

/// The reason phrases of the statuses that this program sends itself (RFC 9110 §15).
package enum ReasonPhrase {
    /// The phrase for a status, empty for one that we never send.
    package static func standard(_ status: Int) -> String {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 200: "OK"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 304: "Not Modified"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 416: "Range Not Satisfiable"
        case 421: "Misdirected Request"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 506: "Variant Also Negotiates"
        default: ""
        }
    }
}
