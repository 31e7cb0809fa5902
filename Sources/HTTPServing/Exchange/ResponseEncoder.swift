import HTTPMessage

import struct NIOCore.ByteBuffer

/// Writes the answer to one request as HTTP/1, in the framing that its caller understands (RFC 9112 §6, §9.3).
struct ResponseEncoder {
    /// Bodies up to this size are copied behind their chunk-size line; larger ones go out by reference.
    private static let copiedChunk = 4096
    /// Bodies up to this size, in bytes, are written behind their head, in one buffer.
    static let shortBody = 2048
    /// Room for such a head.
    private static let usualHead = 512

    private enum Framing {
        /// The head has not gone out.
        case none
        /// The head says how long the body is.
        case length
        case chunked
        case untilClose
        case raw
    }

    let version: HTTPVersion
    /// Whether the caller's connection may be used again after this answer.
    private(set) var keepAlive: Bool
    private var framing = Framing.none

    init(_ version: HTTPVersion, keepAlive: Bool) {
        self.version = version
        self.keepAlive = keepAlive
    }

    /// Whether the final head was written.
    var hasBegun: Bool {
        if case .none = framing { return false }
        return true
    }

    /// Whether the end of the body shows without the end of the connection.
    var isDelimited: Bool {
        switch framing {
        case .none, .length, .chunked: true
        case .untilClose, .raw: false
        }
    }

    /// The caller's connection is not used again after this answer, unless its head has promised that already.
    mutating func leave() { if !hasBegun { keepAlive = false } }

    /// An answer goes out that was written whole, in place of one that this would write.
    mutating func beginElsewhere() { framing = .length }

    /// - Returns: nil where an HTTP/1.0 caller would not understand it (RFC 9110 §15.2).
    func interim(_ head: ResponseHead) -> ByteBuffer? { version == .http10 ? nil : Self.encode(head) }

    /// - Parameters:
    ///   - head: the final one, as `AnswerLength` settled it.
    ///   - date: what an answer says that came without (RFC 9110 §6.6.1).
    mutating func begin(
        _ head: consuming ResponseHead, _ length: AnswerLength, date: @autoclosure () -> String
    ) -> ByteBuffer {
        if length.isDelimited {
            framing = .length
        } else if version == .http11 {
            framing = .chunked
            head.fields.append(.transferEncoding, "chunked")
        } else {
            framing = .untilClose
            keepAlive = false
        }
        if !head.fields.contains(.date) { head.fields.append(.date, date()) }
        if !keepAlive {
            head.fields.append(.connection, "close")
        } else if version == .http10 {
            head.fields.append(.connection, "keep-alive")
        }
        return Self.encode(head, bodyBytes: length.bytesLeft ?? 0)
    }

    /// The connection leaves HTTP (RFC 9110 §15.2.2).
    mutating func switchProtocols(_ head: ResponseHead) -> ByteBuffer {
        framing = .raw
        keepAlive = false
        return Self.encode(head)
    }

    /// Writes part of the body.
    func write(_ data: ByteBuffer, isLast: Bool, to write: (ByteBuffer) -> Void) {
        let count = data.readableBytes
        guard case .chunked = framing else {
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
    func writeEnd(trailers: HeaderFields?, to write: (ByteBuffer) -> Void) {
        guard case .chunked = framing else { return }
        var end = ByteBuffer()
        end.writeLastChunk(trailers: trailers)
        write(end)
    }

    /// - Parameter bodyBytes: that are to follow.
    private static func encode(_ head: ResponseHead, bodyBytes: Int = 0) -> ByteBuffer {
        var buffer = ByteBuffer()
        if 1...shortBody ~= bodyBytes { buffer.reserveCapacity(usualHead + bodyBytes) }
        buffer.writeResponseHead(head)
        return buffer
    }
}
