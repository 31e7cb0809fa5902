package import struct NIOCore.ByteBuffer

/// Takes a message body off a stream of bytes, piece by piece as they come (RFC 9112 §6, §7).
package struct BodyDecoder: Sendable {
    /// One piece of a body.
    package enum Part: Sendable, Equatable {
        /// Some bytes of the content, never empty.
        case bytes(ByteBuffer)
        /// The body is whole; trailers only after a chunked one that had some.
        case end(trailers: HeaderFields?)
    }

    private enum State {
        case length(Int)
        case chunkSize
        case chunk(Int)
        case chunkEnd
        case trailers(FieldBlockReader)
        case untilClose
        case ended
    }

    /// Longest chunk-size line, extensions included; a peer has no use for more.
    private static let longestChunkLine = 4096
    /// Chunks of so many bytes are handed on together with those behind them, so many at most.
    private static let smallChunk = 1024
    private static let mostGathered = 16
    private static let zero = UInt8(ascii: "0")

    private var state: State
    private let limits: HTTPLimits
    private let isLenient: Bool

    /// - Parameter isLenient: whether lines may end with LF alone, and blanks stand behind the size of a chunk: those of
    ///   origins may, those of callers not, as what another server reads otherwise is a way to smuggle requests.
    package init(_ framing: BodyFraming, limits: HTTPLimits = HTTPLimits(), isLenient: Bool = false) {
        self.limits = limits
        self.isLenient = isLenient
        switch framing {
        case .none: self.state = .length(0)
        case .length(let length): self.state = .length(length)
        case .chunked: self.state = .chunkSize
        case .untilClose: self.state = .untilClose
        }
    }

    /// - Parameter buffer: bytes that came and were not yet taken.
    /// - Returns: the next piece, its bytes taken off the buffer; nil while more bytes are needed, and after the end.
    package mutating func next(_ buffer: inout ByteBuffer) throws(HTTPMessageError) -> Part? {
        while true {
            switch state {
            case .length(0):
                state = .ended
                return .end(trailers: nil)
            case .length(let remaining):
                guard let piece = buffer.readSome(atMost: remaining) else { return nil }
                state = .length(remaining - piece.readableBytes)
                return .bytes(piece)
            case .chunkSize:
                guard let size = try readChunkSize(&buffer) else { return nil }
                state =
                    size > 0
                    ? .chunk(size)
                    : .trailers(
                        FieldBlockReader(limits: limits, hasStartLine: false, acceptsBareLF: isLenient))
            case .chunk(let remaining):
                guard var piece = buffer.readSome(atMost: remaining) else { return nil }
                let left = remaining - piece.readableBytes
                state = left > 0 ? .chunk(left) : .chunkEnd
                if left == 0, piece.readableBytes <= Self.smallChunk { gather(behind: &piece, from: &buffer) }
                return .bytes(piece)
            case .chunkEnd:
                guard try readChunkEnd(&buffer) else { return nil }
                state = .chunkSize
            case .trailers(var reader):
                let block = try reader.takeWhole(from: &buffer)
                state = .trailers(reader)
                guard let block else { return nil }
                state = .ended
                return .end(
                    trailers: reader.entries.isEmpty
                        ? nil : HeaderFields(bytes: block, entries: reader.entries))
            case .untilClose:
                return buffer.readSome(atMost: .max).map { .bytes($0) }
            case .ended:
                return nil
            }
        }
    }

    /// The connection ended: the end of a body that runs until then.
    ///
    /// - Throws: `truncated` when the body was not whole.
    package mutating func endOfInput() throws(HTTPMessageError) -> Part? {
        switch state {
        case .untilClose, .length(0):
            state = .ended
            return .end(trailers: nil)
        case .ended:
            return nil
        default:
            throw HTTPMessageError(.truncated, "the connection ended in the middle of a body")
        }
    }

    /// Puts the small chunks that have come whole behind a small one into the same piece: to hand on each alone costs many
    /// times what it takes to read it. What is malformed is left for the next call.
    private func gather(behind piece: inout ByteBuffer, from buffer: inout ByteBuffer) {
        for _ in 1..<Self.mostGathered {
            var ahead = buffer
            // The last chunk is none of them.
            guard ahead.getInteger(at: ahead.readerIndex + 2, as: UInt8.self) ?? Self.zero != Self.zero,
                (try? readChunkEnd(&ahead)) == true, let size = try? readChunkSize(&ahead),
                (1...Self.smallChunk).contains(size), let chunk = ahead.readSlice(length: size)
            else { return }
            piece.writeImmutableBuffer(chunk)
            buffer = ahead
        }
    }

    /// Takes the end of the line behind a chunk.
    ///
    /// - Returns: whether it has come.
    private func readChunkEnd(_ buffer: inout ByteBuffer) throws(HTTPMessageError) -> Bool {
        guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return false }
        if isLenient, first == UInt8(ascii: "\n") {
            buffer.moveReaderIndex(forwardBy: 1)
            return true
        }
        guard let end = buffer.readInteger(as: UInt16.self) else { return false }
        guard end == 0x0d0a else { throw HTTPMessageError(.malformed, "chunk without CRLF behind it") }
        return true
    }

    /// `chunk-size [ chunk-ext ] CRLF` (RFC 9112 §7.1).
    private func readChunkSize(_ buffer: inout ByteBuffer) throws(HTTPMessageError) -> Int? {
        let line = try buffer.reading { memory throws(HTTPMessageError) in try chunkLine(memory) }
        guard let line else { return nil }
        buffer.moveReaderIndex(forwardBy: line.length)
        return line.size
    }

    /// - Returns: what the line at the beginning says, and how long it is; nil while it is not whole.
    private func chunkLine(
        _ memory: UnsafeRawBufferPointer
    ) throws(HTTPMessageError) -> (size: Int, length: Int)? {
        let seen = UnsafeRawBufferPointer(rebasing: memory.prefix(Self.longestChunkLine))
        guard let newline = seen.firstNewline(from: 0) else {
            guard seen.count < Self.longestChunkLine else {
                throw HTTPMessageError(.malformed, "chunk-size line too long")
            }
            return nil
        }
        let hasCR = newline > 0 && seen[newline - 1] == UInt8(ascii: "\r")
        guard hasCR || isLenient else {
            throw HTTPMessageError(.malformed, "chunk-size line ended by LF without CR")
        }
        let end = hasCR ? newline - 1 : newline
        var (index, size) = (0, 0)
        while index < end, let digit = seen[index].hexadecimalValue {
            size = size << 4 | Int(digit)
            index += 1
        }
        guard (1...Self.mostDigits).contains(index) else { throw Self.malformedSize }
        while isLenient, index < end, seen[index].isOptionalWhitespace { index += 1 }
        guard index == end || seen[index] == UInt8(ascii: ";"), !seen.hasControlCharacter(in: index..<end)
        else { throw Self.malformedSize }
        return (size, newline + 1)
    }

    /// Of a size, so that it fits a number.
    private static let mostDigits = 15
    private static let malformedSize = HTTPMessageError(.malformed, "malformed chunk size")
}

extension ByteBuffer {
    /// Takes what is there, at most so many bytes; nil when nothing is.
    fileprivate mutating func readSome(atMost limit: Int) -> ByteBuffer? {
        readableBytes > 0 ? readSlice(length: min(readableBytes, limit)) : nil
    }

    /// Writes the line before a chunk of so many bytes (RFC 9112 §7.1); CRLF follows the chunk itself.
    package mutating func writeChunkSize(_ size: Int) {
        writeString(String(size, radix: 16))
        writeStaticString("\r\n")
    }

    /// Writes the last chunk, trailers if any, and the empty line that ends a chunked body.
    package mutating func writeLastChunk(trailers: HeaderFields?) {
        writeStaticString("0\r\n")
        trailers?.write(to: &self)
        writeStaticString("\r\n")
    }
}
