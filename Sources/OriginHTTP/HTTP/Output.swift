import HTTPMessage
import NIOCore

/// Bytes of HTTP/1 on their way to a channel (RFC 9112 §3, §7.1): small ones gathered in one buffer, large ones uncopied.
struct Output {
    /// Bodies up to this size are copied next to what is written before them; larger ones go as they are.
    /// A copy of 4 KiB costs less than another element of a gathering write.
    static let largestCopy = 4096
    /// Room that is made at once for a head.
    private static let usualHead = 512

    /// Bytes in all.
    private(set) var count = 0
    /// What is complete and goes before `small`.
    private var large: [ByteBuffer] = []
    private var small = ByteBuffer()

    /// Appends the request line and the fields of a request, `Host` and framing included, and the empty line.
    mutating func appendHead(_ request: OutgoingRequest) {
        count -= small.readableBytes
        small.reserveCapacity(minimumWritableBytes: Self.usualHead)
        small.writeString(request.method)
        small.writeStaticString(" ")
        small.writeString(request.target)
        small.writeStaticString(" HTTP/1.1\r\nHost: ")
        small.writeString(request.host)
        small.writeStaticString("\r\n")
        request.fields.write(to: &small)
        if request.framing == .chunked { small.writeStaticString("Transfer-Encoding: chunked\r\n") }
        if !request.upgrade.isEmpty {
            small.writeStaticString("Connection: Upgrade\r\nUpgrade: ")
            small.writeString(request.upgrade.fieldValue)
            small.writeStaticString("\r\n")
        }
        small.writeStaticString("\r\n")
        count += small.readableBytes
    }

    /// Appends bytes as they are.
    mutating func append(_ bytes: ByteBuffer) {
        count += bytes.readableBytes
        if bytes.readableBytes <= Self.largestCopy {
            small.writeImmutableBuffer(bytes)
        } else {
            if small.readableBytes > 0 { large.append(small) }
            large.append(bytes)
            small = ByteBuffer()
        }
    }

    /// Appends one chunk of a chunked body.
    mutating func appendChunk(_ bytes: ByteBuffer) {
        count -= small.readableBytes
        small.writeChunkSize(bytes.readableBytes)
        count += small.readableBytes
        append(bytes)
        small.writeStaticString("\r\n")
        count += 2
    }

    /// Appends the end of a chunked body.
    mutating func appendLastChunk(trailers: HeaderFields?) {
        count -= small.readableBytes
        small.writeLastChunk(trailers: trailers)
        count += small.readableBytes
    }

    /// Hands over everything in order, and is empty afterwards.
    mutating func drain(_ write: (ByteBuffer) -> Void) {
        let drained = self
        self = Output()
        for buffer in drained.large { write(buffer) }
        if drained.small.readableBytes > 0 { write(drained.small) }
    }
}
