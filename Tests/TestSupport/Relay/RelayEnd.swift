import Foundation

/// One of the two sockets that a relay joins, with a buffer that is read into and written from, never copied. For one
/// thread at a time, except `cut`.
final class RelayEnd: @unchecked Sendable {
    let socket: StreamSocket
    private let space = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    private static let capacity = 1 << 18
    private var start = 0
    private var end = 0

    init(_ socket: StreamSocket) { self.socket = socket }

    deinit { space.deallocate() }

    /// What was read and not yet consumed.
    var buffered: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: space + start, count: end - start) }

    func consume(_ count: Int) {
        start += count
        if start == end { (start, end) = (0, 0) }
    }

    /// Reads what is there, waiting for at least a byte.
    ///
    /// - Parameter other: whose peer's leaving ends the wait too.
    /// - Throws: `StreamEnd`.
    func fill(watching other: RelayEnd? = nil) throws {
        if end == Self.capacity && start > 0 {
            memmove(space, space + start, end - start)
            (start, end) = (0, end - start)
        }
        guard end < Self.capacity else { throw TestFailure("\(Self.capacity) bytes that are no head") }
        if let other { try wait(watching: other) }
        let count = recv(socket.descriptor, space + end, Self.capacity - end, 0)
        if count == 0 { throw StreamEnd.closed }
        if count > 0 { end += count } else if errno != EINTR { throw StreamEnd.reset }
    }

    private func wait(watching other: RelayEnd) throws {
        // POLLRDHUP, which Glibc's module leaves out.
        let left: Int16 = 0x2000
        var ends = [
            pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other.socket.descriptor, events: left, revents: 0),
        ]
        while poll(&ends, 2, -1) < 0 { guard errno == EINTR else { throw StreamEnd.reset } }
        if ends[1].revents != 0 { throw StreamEnd.closed }
    }

    /// Writes all of it.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var written = 0
        while written < bytes.count {
            let count = send(
                socket.descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written,
                Int32(MSG_NOSIGNAL))
            if count >= 0 { written += count } else if errno != EINTR { throw StreamEnd.reset }
        }
    }

    func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

    // MARK: Messages

    /// A head, as it stood on the wire and read.
    struct Head {
        var bytes: [UInt8]
        let message: MessageHead

        /// The same without fields of those names.
        func without(_ names: Set<String>) -> [UInt8] {
            let fields = message.fields.filter { !names.contains($0.name.lowercased()) }
            return Array(
                ([message.startLine] + fields.map { "\($0.name): \($0.value)" } + ["", ""])
                    .joined(separator: "\r\n").utf8)
        }
    }

    /// Reads a head, and consumes it; nil when the peer, or the other's, has left before it.
    func readHead(watching other: RelayEnd?) throws -> Head? {
        var searched = 0
        while true {
            let bytes = buffered
            while searched + 4 <= bytes.count {
                if bytes[searched] == 13, bytes[searched..<searched + 4].elementsEqual([13, 10, 13, 10]) {
                    let length = searched + 4
                    defer { consume(length) }
                    return try Self.head(Array(bytes[..<length]))
                }
                searched += 1
            }
            let isBetween = bytes.isEmpty
            do {
                try fill(watching: other)
            } catch is StreamEnd where isBetween {
                return nil
            }
        }
    }

    private static func head(_ bytes: [UInt8]) throws -> Head {
        let lines = String(decoding: bytes.dropLast(4), as: UTF8.self).components(separatedBy: "\r\n")
        let fields = try lines.dropFirst().map { line in
            guard let colon = line.firstIndex(of: ":") else { throw TestFailure("no field line: \(line)") }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            return (name: String(line[..<colon]), value: String(value))
        }
        return Head(bytes: bytes, message: MessageHead(startLine: lines[0], fields: fields))
    }

    /// Reads a body and hands its bytes over as they come, with all that frames them, consuming them.
    ///
    /// - Parameter handle: gets the bytes, and how many of them are the body's own.
    func readBody(
        _ framing: BodyFraming, watching other: RelayEnd?,
        _ handle: (UnsafeRawBufferPointer, _ payload: Int) throws -> Void
    ) throws {
        var scanner = BodyScanner(framing)
        while !scanner.isAtEnd {
            if buffered.isEmpty {
                do {
                    try fill(watching: other)
                } catch StreamEnd.closed where framing == .untilClose {
                    return
                }
            }
            let (length, payload) = scanner.scan(buffered)
            try handle(UnsafeRawBufferPointer(rebasing: buffered[..<length]), payload)
            consume(length)
        }
    }
}

/// Finds the end of a body in bytes that come piece by piece.
struct BodyScanner {
    private enum State {
        /// So many of the body's own bytes are to come.
        case plain(Int)
        case size(Int, isDigits: Bool)
        /// A chunk's bytes, or what is left of the CR LF behind them.
        case chunk(Int), chunkEnd
        /// The trailer section; how long its present line is.
        case trailers(Int)
        case untilClose
        case end
    }

    private var state: State

    init(_ framing: BodyFraming) {
        state =
            switch framing {
            case .none, .length(0): .end
            case .length(let length): .plain(length)
            case .chunked: .size(0, isDigits: true)
            case .untilClose: .untilClose
            }
    }

    var isAtEnd: Bool { if case .end = state { true } else { false } }

    /// - Returns: how many of the bytes belong to the body with its framing, and how many are the body's own.
    mutating func scan(_ bytes: UnsafeRawBufferPointer) -> (length: Int, payload: Int) {
        var index = 0
        var payload = 0
        while index < bytes.count {
            switch state {
            case .end: return (index, payload)
            case .untilClose:
                payload += bytes.count - index
                index = bytes.count
            case .plain(let rest), .chunk(let rest):
                let isChunk = if case .chunk = state { true } else { false }
                let count = min(rest, bytes.count - index)
                index += count
                payload += count
                if count < rest {
                    state = isChunk ? .chunk(rest - count) : .plain(rest - count)
                } else {
                    state = isChunk ? .chunkEnd : .end
                }
            case .chunkEnd:
                if bytes[index] == 10 { state = .size(0, isDigits: true) }
                index += 1
            case .size(let size, let isDigits):
                let byte = bytes[index]
                index += 1
                if byte == 10 {
                    state = size == 0 ? .trailers(0) : .chunk(size)
                } else if isDigits, let digit = Character(UnicodeScalar(byte)).hexDigitValue {
                    state = .size(size << 4 | digit, isDigits: true)
                } else {
                    state = .size(size, isDigits: false)
                }
            case .trailers(let length):
                let byte = bytes[index]
                index += 1
                if byte == 10 {
                    state = length == 0 ? .end : .trailers(0)
                } else if byte != 13 {
                    state = .trailers(length + 1)
                }
            }
        }
        return (index, payload)
    }
}
