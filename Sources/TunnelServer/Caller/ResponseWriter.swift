import HTTPMessage

import struct NIOCore.ByteBuffer

/// Writes the answer to one request in the framing that its caller understands, and holds the origin to the
/// length it promised.
struct ResponseWriter {
    /// Bodies up to this size are copied behind their chunk-size line; larger ones go out by reference.
    private static let copiedChunk = 4096

    private enum Body {
        case none
        case length(left: Int)
        case chunked
        case untilClose
        case raw
    }

    private let method: String
    private let version: HTTPVersion
    /// Whether the caller's connection may be used again after this answer.
    private(set) var keepAlive: Bool
    /// Whether the final head was written.
    private(set) var hasBegun = false
    private var body = Body.none

    init(request: RequestHead, keepAlive: Bool) {
        self.method = request.method
        self.version = request.version
        self.keepAlive = keepAlive
    }

    /// Whether the connection left HTTP.
    var isRaw: Bool {
        if case .raw = body { return true }
        return false
    }

    /// Whether the end of the body shows without the end of the connection.
    var isDelimited: Bool {
        switch body {
        case .none, .length, .chunked: true
        case .untilClose, .raw: false
        }
    }

    /// The caller's connection is not used again after this answer, unless its head has promised that already.
    mutating func leave() { if !hasBegun { keepAlive = false } }

    /// - Parameters:
    ///   - isLast: no body follows.
    ///   - date: what an answer says that came without (RFC 9110 §6.6.1).
    /// - Returns: what to write for a head that came through the tunnel; nil for an interim one that an HTTP/1.0
    ///   caller would not understand (RFC 9110 §15.2).
    /// - Throws: for a head out of order, or one whose framing contradicts itself.
    mutating func begin(
        _ head: ResponseHead, isLast: Bool, date: @autoclosure () -> String
    ) throws(HTTPMessageError) -> ByteBuffer? {
        guard !hasBegun else { throw HTTPMessageError(.malformed, "a second final head") }
        var head = head
        Forwarding.rewrite(&head, at: .answerToCaller)
        if head.isInterim {
            return version == .http10 ? nil : Self.encode(head)
        }
        if head.status == 101 {
            hasBegun = true
            body = .raw
            keepAlive = false
            return Self.encode(head)
        }
        try frame(&head, isLast: isLast)
        hasBegun = true
        if !head.fields.contains(.date) { head.fields.append(.date, date()) }
        if !keepAlive {
            head.fields.append(.connection, "close")
        } else if version == .http10 {
            head.fields.append(.connection, "keep-alive")
        }
        return Self.encode(head)
    }

    private mutating func frame(_ head: inout ResponseHead, isLast: Bool) throws(HTTPMessageError) {
        switch try head.bodyFraming(requestMethod: method) {
        case .none:
            body = .length(left: 0)
        case .length(let length):
            guard !isLast else { throw HTTPMessageError(.truncated, "a promised body is missing") }
            body = .length(left: length)
        case .chunked, .untilClose:
            if isLast {
                body = .none
                head.fields.append(.contentLength, "0")
            } else if version == .http11 {
                body = .chunked
                head.fields.append(.transferEncoding, "chunked")
            } else {
                body = .untilClose
                keepAlive = false
            }
        }
    }

    /// Whether so many more bytes fit the length that the head promised, and, for the last ones, fill it.
    func accepts(_ count: Int, isLast: Bool) -> Bool {
        switch body {
        case .none: hasBegun && count == 0
        case .length(let left): isLast ? count == left : count <= left
        case .chunked, .untilClose, .raw: true
        }
    }

    /// Writes part of the body. `accepts` was asked before.
    mutating func write(_ data: ByteBuffer, isLast: Bool, to write: (ByteBuffer) -> Void) {
        let count = data.readableBytes
        if case .length(let left) = body { body = .length(left: left - count) }
        guard case .chunked = body else {
            if count > 0 { write(data) }
            return
        }
        if count > 0 {
            var head = ByteBuffer()
            head.writeChunkSize(count)
            if count <= Self.copiedChunk {
                head.writeImmutableBuffer(data)
                head.writeStaticString("\r\n")
                if isLast { head.writeLastChunk(trailers: nil) }
                write(head)
                return
            }
            write(head)
            write(data)
            write(ByteBuffer(staticString: "\r\n"))
        }
        if isLast { writeEnd(trailers: nil, to: write) }
    }

    /// Ends the body, with trailers where the framing has room for them.
    mutating func writeEnd(trailers: HeaderFields?, to write: (ByteBuffer) -> Void) {
        guard case .chunked = body else { return }
        var end = ByteBuffer()
        end.writeLastChunk(trailers: trailers)
        write(end)
    }

    private static func encode(_ head: ResponseHead) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeResponseHead(head)
        return buffer
    }
}
