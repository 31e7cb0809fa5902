import NIOCore
import NIOHPACK
import OriginHTTP
import TestSupport

/// The server's end of a connection of HTTP/2, frame by frame, right or wrong (RFC 9113 §4.1).
final class FramePeer {
    struct Frame {
        let type: UInt8
        let flags: UInt8
        let stream: Int
        let payload: [UInt8]

        var endsStream: Bool { flags & 1 != 0 }
    }

    struct Request {
        let stream: Int
        let fields: [(name: String, value: String)]
        let isWhole: Bool

        func callAsFunction(_ name: String) -> String? { fields.first { $0.name == name }?.value }
    }

    static let (data, headers, reset, settings, ping, goAway, windowUpdate):
        (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8) =
            (0, 1, 3, 4, 6, 7, 8)

    let socket: StreamSocket
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
    /// Frames that were read beside those asked for, but SETTINGS and their acknowledgements.
    private(set) var passedOver: [Frame] = []

    /// Reads what a client begins with, and answers with settings.
    init(_ connection: OriginConnection, settings: [(UInt16, UInt32)] = []) throws {
        socket = connection.socket
        let preface = try socket.read(24)
        guard String(decoding: preface, as: UTF8.self) == "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" else {
            throw TestFailure("no preface")
        }
        try send(Self.settings, payload: settings.flatMap { Self.bytes($0.0) + Self.bytes($0.1) })
    }

    // MARK: What comes

    func read() throws -> Frame {
        let head = try socket.read(9)
        let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        let stream = head[5...8].reduce(0) { $0 << 8 | Int($1) } & 0x7fff_ffff
        let payload = length > 0 ? try socket.read(length) : []
        return Frame(type: head[3], flags: head[4], stream: stream, payload: payload)
    }

    /// The next frame of a type, of a stream if one is named; settings are acknowledged on the way.
    func next(_ type: UInt8, of stream: Int? = nil) throws -> Frame {
        while true {
            let frame = try read()
            if frame.type == type, stream == nil || frame.stream == stream { return frame }
            if frame.type == Self.settings {
                if frame.flags == 0 { try send(Self.settings, flags: 1) }
            } else {
                passedOver.append(frame)
                if frame.type == Self.headers { _ = try decode(frame) }
            }
        }
    }

    func request() throws -> Request {
        let frame = try next(Self.headers)
        return Request(stream: frame.stream, fields: try decode(frame), isWhole: frame.endsStream)
    }

    func decode(_ frame: Frame) throws -> [(name: String, value: String)] {
        var block = ByteBuffer(bytes: frame.payload)
        return try decoder.decodeHeaders(from: &block).map { ($0.name, $0.value) }
    }

    /// The body of a request, to its end.
    func body(of stream: Int) throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let frame = try next(Self.data, of: stream)
            body += frame.payload
            if frame.endsStream { return body }
        }
    }

    // MARK: What goes

    func send(_ type: UInt8, flags: UInt8 = 0, stream: Int = 0, payload: [UInt8] = []) throws {
        try socket.write(Self.frame(type, flags: flags, stream: stream, payload: payload))
    }

    static func frame(_ type: UInt8, flags: UInt8 = 0, stream: Int = 0, payload: [UInt8] = []) -> [UInt8] {
        Array(bytes(UInt32(payload.count)).dropFirst()) + [type, flags] + bytes(UInt32(stream)) + payload
    }

    /// The head of an answer, or trailers where there is no status.
    func answer(
        _ stream: Int, _ status: Int? = 200, _ fields: [(String, String)] = [], ends: Bool = false
    ) throws {
        let status = status.map { [(":status", String($0))] } ?? []
        try send(
            Self.headers, flags: ends ? 5 : 4, stream: stream, payload: Self.block(status + fields))
    }

    func data(_ stream: Int, _ text: String, ends: Bool = false) throws {
        try send(Self.data, flags: ends ? 1 : 0, stream: stream, payload: Array(text.utf8))
    }

    func reset(_ stream: Int, _ code: UInt32) throws {
        try send(Self.reset, stream: stream, payload: Self.bytes(code))
    }

    func goAway(last: Int, _ code: UInt32 = 0) throws {
        try send(Self.goAway, payload: Self.bytes(UInt32(last)) + Self.bytes(code))
    }

    func openWindow(_ stream: Int, by bytes: UInt32) throws {
        try send(Self.windowUpdate, stream: stream, payload: Self.bytes(bytes))
    }

    /// Literal fields without indexing (RFC 7541 §6.2.2), of less than 127 bytes each.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        var block: [UInt8] = []
        for (name, value) in fields {
            block.append(0)
            for text in [name, value] {
                block.append(UInt8(text.utf8.count))
                block.append(contentsOf: text.utf8)
            }
        }
        return block
    }

    static func bytes<Word: FixedWidthInteger>(_ word: Word) -> [UInt8] {
        withUnsafeBytes(of: word.bigEndian) { Array($0) }
    }
}

extension ScriptedOrigin {
    /// The origin as code sees it that knows it to speak HTTP/2.
    func http2(_ options: HTTPOriginOptions = HTTPOriginOptions()) throws -> HTTPOrigin {
        HTTPOrigin(try OriginAddress(url), versions: .http2, options: options)
    }
}
