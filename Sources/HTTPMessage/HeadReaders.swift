package import struct NIOCore.ByteBuffer

/// Takes request heads off a stream of bytes (RFC 9112 §3), strictly: what could be read in two ways is refused.
package struct RequestHeadReader: Sendable {
    private static let longestMethod = 32

    private let limits: HTTPLimits
    private var block: FieldBlockReader

    package init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        self.block = Self.freshBlock(limits)
    }

    /// - Parameter buffer: bytes that came and were not yet taken; the same ones again, and more, at the next call.
    /// - Returns: the next head, its bytes taken off the buffer; nil while it is not whole.
    package mutating func next(_ buffer: inout ByteBuffer) throws(HTTPMessageError) -> RequestHead? {
        guard let bytes = try block.takeWhole(from: &buffer) else { return nil }
        defer { block = Self.freshBlock(limits) }
        guard let startLine = block.startLine else { return nil }
        let (method, target, version) = try bytes.reading { memory throws(HTTPMessageError) in
            try Self.parse(UnsafeRawBufferPointer(rebasing: memory[startLine]))
        }
        return RequestHead(
            method: method, target: target, version: version,
            fields: HeaderFields(bytes: bytes, entries: block.entries))
    }

    private static func freshBlock(_ limits: HTTPLimits) -> FieldBlockReader {
        FieldBlockReader(limits: limits, hasStartLine: true, acceptsBareLF: false)
    }

    private static func parse(
        _ line: UnsafeRawBufferPointer
    ) throws(HTTPMessageError) -> (String, String, HTTPVersion) {
        guard let first = line.firstIndex(of: 0x20), let last = line.lastIndex(of: 0x20), first < last else {
            throw HTTPMessageError(.malformed, "malformed request line")
        }
        let method = UnsafeRawBufferPointer(rebasing: line[..<first])
        guard isMethod(method) else { throw HTTPMessageError(.malformed, "malformed request method") }
        let target = UnsafeRawBufferPointer(rebasing: line[first + 1..<last])
        guard let text = Self.text(ofTarget: target) else {
            throw HTTPMessageError(.malformed, "malformed request target")
        }
        let version = try HTTPVersion(UnsafeRawBufferPointer(rebasing: line[(last + 1)...]))
        return (Self.text(ofMethod: method), text, version)
    }

    @inline(__always)
    fileprivate static func isMethod(_ method: UnsafeRawBufferPointer) -> Bool {
        !method.isEmpty && method.count <= longestMethod && method.allSatisfy(\.isTokenByte)
    }

    /// To read UTF-8 takes long, and nearly every request is this one.
    private static func text(ofMethod method: UnsafeRawBufferPointer) -> String {
        if method.count == 3, method[0] == UInt8(ascii: "G"), method[1] == UInt8(ascii: "E"),
            method[2] == UInt8(ascii: "T")
        {
            return "GET"
        }
        return String(decoding: method, as: UTF8.self)
    }

    /// - Returns: nil for what is empty, holds white space or control characters, or is not UTF-8.
    private static func text(ofTarget target: UnsafeRawBufferPointer) -> String? {
        var all: UInt8 = 0
        for byte in target {
            guard byte > 0x20, byte != 0x7f else { return nil }
            all |= byte
        }
        guard !target.isEmpty else { return nil }
        // Checking UTF-8 takes long, and nearly every target is ASCII.
        return all < 0x80
            ? String(decoding: target, as: UTF8.self) : String(validating: target, as: UTF8.self)
    }
}

/// Takes response heads off a stream of bytes (RFC 9112 §4).
package struct ResponseHeadReader: Sendable {
    private let limits: HTTPLimits
    private var block: FieldBlockReader

    package init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        self.block = Self.freshBlock(limits)
    }

    /// - Parameter buffer: bytes that came and were not yet taken; the same ones again, and more, at the next call.
    /// - Returns: the next head, its bytes taken off the buffer; nil while it is not whole.
    package mutating func next(_ buffer: inout ByteBuffer) throws(HTTPMessageError) -> ResponseHead? {
        guard let bytes = try block.takeWhole(from: &buffer) else { return nil }
        defer { block = Self.freshBlock(limits) }
        guard let startLine = block.startLine else { return nil }
        let (status, reason, version) = try bytes.reading { memory throws(HTTPMessageError) in
            try Self.parse(UnsafeRawBufferPointer(rebasing: memory[startLine]))
        }
        return ResponseHead(
            status: status, reason: reason, version: version,
            fields: HeaderFields(bytes: bytes, entries: block.entries))
    }

    /// The same, passing over interim heads (RFC 9110 §15.2).
    package mutating func nextFinal(_ buffer: inout ByteBuffer) throws(HTTPMessageError) -> ResponseHead? {
        while let head = try next(&buffer) {
            if !head.isInterim { return head }
        }
        return nil
    }

    private static func freshBlock(_ limits: HTTPLimits) -> FieldBlockReader {
        FieldBlockReader(limits: limits, hasStartLine: true, acceptsBareLF: true)
    }

    private static func parse(
        _ line: UnsafeRawBufferPointer
    ) throws(HTTPMessageError) -> (Int, String, HTTPVersion) {
        // "HTTP/1.1 200", then nothing, or a space and any phrase (RFC 9112 §4).
        guard line.count >= 12, line[8] == 0x20 else {
            throw HTTPMessageError(.malformed, "malformed status line")
        }
        let version = try HTTPVersion(UnsafeRawBufferPointer(rebasing: line[..<8]))
        var status = 0
        for byte in line[9..<12] {
            guard byte &- 0x30 < 10 else { throw HTTPMessageError(.malformed, "malformed status code") }
            status = status * 10 + Int(byte &- 0x30)
        }
        guard status >= 100, line.count == 12 || line[12] == 0x20 else {
            throw HTTPMessageError(.malformed, "malformed status code")
        }
        let reason = min(13, line.count)..<line.count
        guard !line.hasControlCharacter(in: reason) else {
            throw HTTPMessageError(.malformed, "control character in a reason phrase")
        }
        return (status, Self.text(ofReason: UnsafeRawBufferPointer(rebasing: line[reason])), version)
    }

    /// To read UTF-8 takes long, and nearly every answer is one of these.
    private static func text(ofReason reason: UnsafeRawBufferPointer) -> String {
        if reason.isEmpty { return "" }
        if reason.count == 2, reason[0] == UInt8(ascii: "O"), reason[1] == UInt8(ascii: "K") { return "OK" }
        return String(decoding: reason, as: UTF8.self)
    }
}

extension RequestHead {
    /// Of a request whose parts came apart from each other.
    static func checkMethod(_ method: String) throws(HTTPMessageError) {
        var method = method
        guard method.withUTF8({ RequestHeadReader.isMethod(UnsafeRawBufferPointer($0)) }) else {
            throw HTTPMessageError(.malformed, "malformed request method")
        }
    }

    /// Reads a text that is one whole head and nothing else.
    package init(whole text: ByteBuffer, limits: HTTPLimits) throws(HTTPMessageError) {
        var (reader, rest) = (RequestHeadReader(limits: limits), text)
        guard let head = try reader.next(&rest), rest.readableBytes == 0 else { throw .notOneHead }
        self = head
    }
}

extension ResponseHead {
    /// Reads a text that is one whole head and nothing else.
    package init(whole text: ByteBuffer, limits: HTTPLimits) throws(HTTPMessageError) {
        var (reader, rest) = (ResponseHeadReader(limits: limits), text)
        guard let head = try reader.next(&rest), rest.readableBytes == 0 else { throw .notOneHead }
        self = head
    }
}

extension HTTPMessageError {
    fileprivate static let notOneHead = HTTPMessageError(.malformed, "not one whole head")
}

extension FieldBlockReader {
    /// Takes the whole block off the buffer once its end has come.
    mutating func takeWhole(from buffer: inout ByteBuffer) throws(HTTPMessageError) -> ByteBuffer? {
        let length = try buffer.reading { memory throws(HTTPMessageError) in try read(memory) }
        return length.flatMap { buffer.readSlice(length: $0) }
    }
}

extension HTTPVersion {
    /// Reads `HTTP/1.x` (RFC 9112 §2.3).
    fileprivate init(_ text: UnsafeRawBufferPointer) throws(HTTPMessageError) {
        guard text.count == 8, text[0] == UInt8(ascii: "H"), text[1] == UInt8(ascii: "T"),
            text[2] == UInt8(ascii: "T"), text[3] == UInt8(ascii: "P"), text[4] == UInt8(ascii: "/"),
            text[5] &- 0x30 < 10, text[6] == UInt8(ascii: "."), text[7] &- 0x30 < 10
        else { throw HTTPMessageError(.malformed, "malformed HTTP version") }
        guard text[5] == UInt8(ascii: "1") else {
            throw HTTPMessageError(.unsupportedVersion, "unsupported HTTP version")
        }
        self = text[7] == UInt8(ascii: "0") ? .http10 : .http11
    }
}

extension ByteBuffer {
    /// `withUnsafeReadableBytes` with a typed error.
    func reading<Value>(
        _ body: (UnsafeRawBufferPointer) throws(HTTPMessageError) -> Value
    ) throws(HTTPMessageError) -> Value {
        let result: Result<Value, HTTPMessageError> = withUnsafeReadableBytes { memory in
            do throws(HTTPMessageError) {
                return .success(try body(memory))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

extension HeaderFields {
    /// Reads field lines that stand alone, each ended by CRLF, without an empty line behind them: trailers as they
    /// cross the tunnel.
    package init(trailerLines lines: ByteBuffer, limits: HTTPLimits = HTTPLimits()) throws(HTTPMessageError) {
        var block = lines
        block.writeStaticString("\r\n")
        var reader = FieldBlockReader(limits: limits, hasStartLine: false, acceptsBareLF: false)
        guard let bytes = try reader.takeWhole(from: &block), block.readableBytes == 0 else {
            throw HTTPMessageError(.malformed, "malformed trailers")
        }
        self.init(bytes: bytes, entries: reader.entries)
        Forwarding.rewrite(&self, at: .trailers)
    }

    /// These fields as they cross the tunnel behind a body: without what belongs to one hop or may not be a
    /// trailer, and without an empty line behind them.
    package var trailerLines: ByteBuffer {
        var fields = self
        Forwarding.rewrite(&fields, at: .trailers)
        var lines = ByteBuffer()
        fields.write(to: &lines)
        return lines
    }
}
