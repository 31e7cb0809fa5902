import HTTPMessage
import NIOCore

/// Bytes of HTTP/1 on their way to a channel (RFC 9112 §3, §7.1): small ones gathered in one buffer, large ones uncopied.
struct Output {
    /// Bodies up to this size are copied next to what is written before them; larger ones go as they are.
    /// A copy of 4 KiB costs less than another element of a gathering write.
    static let largestCopy = 4096

    /// Bytes in all.
    private(set) var count = 0
    /// What is complete and goes before `small`.
    private var large: [ByteBuffer] = []
    private var small = ByteBuffer()

    /// The most memory that is kept for another request, in bytes.
    private static let mostMemory = 2 << 10

    /// Appends the request line and the fields of a request, `Host` and framing included, and the empty line.
    ///
    /// - Parameter memory: what it is written into where nothing is before it.
    /// - Returns: bytes in all.
    @discardableResult
    mutating func appendHead(
        _ request: OutgoingRequest, in memory: consuming ByteBuffer = ByteBuffer()
    ) -> Int {
        if small.readableBytes == 0 { small = memory }
        count -= small.readableBytes
        if request.framing == .chunked {
            var fields = request.fields
            fields.append(.transferEncoding, "chunked")
            appendHead(request, fields)
        } else {
            appendHead(request, request.fields)
        }
        count += small.readableBytes
        return count
    }

    private mutating func appendHead(_ request: OutgoingRequest, _ fields: HeaderFields) {
        small.writeRequestHead(
            method: request.method, target: request.target, host: request.host, fields: fields)
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

    /// Everything, in order.
    func forEach(_ body: (ByteBuffer) -> Void) {
        for buffer in large { body(buffer) }
        if small.readableBytes > 0 { body(small) }
    }

    /// Hands over everything, and is empty afterwards.
    mutating func takeAll() -> Output {
        let all = self
        self = Output()
        return all
    }

    /// The memory of small bytes that have gone, empty; nil where it is not worth keeping. Somebody who still has them keeps
    /// them.
    mutating func takeMemory() -> ByteBuffer? {
        guard small.readableBytes > 0, small.storageCapacity <= Self.mostMemory else { return nil }
        var memory = small
        self = Output()
        memory.clear(minimumCapacity: 0)
        return memory
    }
}
