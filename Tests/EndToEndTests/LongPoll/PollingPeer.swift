import TestSupport

/// One frame of the long-poll carrier, written apart from the agent's: it says what it is told to, right or wrong.
struct PollFrame: Sendable, Equatable {
    static let end: UInt8 = 1
    static let stream: UInt8 = 16
    private static let headBytes = 44

    var magic = Array("WLP1".utf8)
    var flags: UInt8 = 0
    var hold: UInt16 = 0
    var number: UInt64
    var acknowledged: UInt64 = 0
    var limit: UInt64 = 4 << 20
    var offset: UInt64 = 0
    /// What it says of its data; nil for the truth.
    var length: UInt32?
    var others: [UInt64] = []
    var data: [UInt8] = []

    var bytes: [UInt8] {
        var bytes = magic + [flags, UInt8(truncatingIfNeeded: others.count)] + Mux.integer(hold)
        for word in [number, acknowledged, limit, offset] { bytes += Mux.integer(word) }
        bytes += Mux.integer(length ?? UInt32(data.count))
        for other in others { bytes += Mux.integer(other) }
        return bytes + data
    }

    /// Takes the frames of an answer apart.
    static func all(in answer: [UInt8]) throws -> [PollFrame] {
        var frames: [PollFrame] = []
        var rest = answer[...]
        while !rest.isEmpty {
            guard rest.count >= headBytes, rest.starts(with: Array("WLP1".utf8)) else {
                throw TestFailure("no frame: \(String(decoding: rest.prefix(80), as: UTF8.self))")
            }
            let head = Array(rest.prefix(headBytes))
            let integer = { (place: Int, size: Int) in
                head[place..<place + size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            }
            let length = Int(integer(40, 4))
            rest = rest.dropFirst(headBytes + 8 * Int(head[5]))
            guard rest.count >= length else { throw TestFailure("a cut frame") }
            frames.append(
                PollFrame(
                    flags: head[4], hold: UInt16(integer(6, 2)), number: integer(8, 8),
                    acknowledged: integer(16, 8), limit: integer(24, 8), offset: integer(32, 8),
                    length: UInt32(length), data: Array(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
        return frames
    }
}

/// A tunnel client made by hand that comes by long polling.
final class PollingPeer {
    static let path = "/_tunnel/poll"

    let port: Int
    let session: String
    let connection: HTTPConnection
    /// Of the latest request.
    var number: UInt64 = 0
    /// Bytes that it has sent.
    var sent: UInt64 = 0
    /// What has come of the server's direction without a gap.
    private(set) var received: [UInt8] = []

    /// Opens a session and joins, unless told otherwise.
    init(
        port: Int, token: String, fields: [(String, String)] = [], settings: [UInt8]? = Mux.settings(),
        limit: Duration = .seconds(20)
    ) throws {
        self.port = port
        connection = try HTTPConnection(port: port, limit: limit)
        let answer = try Self.open(on: connection, token: token, fields: fields)
        guard let session = answer.head["X-Tunnel-Session"] else {
            throw TestFailure("no session: \(answer.status) \(answer.text)")
        }
        self.session = session
        if let settings { try upload(webSocketFrame(opcode: 2, settings, isMasked: false)) }
    }

    /// The first request of a session.
    static func open(
        on connection: HTTPConnection, token: String, fields: [(String, String)] = []
    ) throws -> HTTPResponse {
        try connection.exchange(
            "POST", path, fields: [("Origin", token)] + fields, body: PollFrame(number: 0).bytes)
    }

    /// Sends one request of a session, whoever it belongs to.
    static func send(_ body: [UInt8], of session: String, on connection: HTTPConnection) throws {
        try connection.send("POST", path, fields: [("X-Tunnel-Session", session)], body: body)
    }

    /// A request on a connection of its own, as it is.
    func exchange(_ frame: PollFrame) throws -> HTTPResponse {
        let connection = try HTTPConnection(port: port)
        defer { connection.close() }
        try Self.send(frame.bytes, of: session, on: connection)
        return try connection.readResponse()
    }

    /// The next request, and what it brought.
    ///
    /// - Parameter hold: in tenths of a second.
    @discardableResult func poll(_ data: [UInt8] = [], hold: UInt16 = 0) throws -> PollFrame {
        number += 1
        let frame = PollFrame(
            hold: hold, number: number, acknowledged: UInt64(received.count),
            limit: UInt64(received.count + 4 << 20), offset: sent, data: data)
        sent += UInt64(data.count)
        try Self.send(frame.bytes, of: session, on: connection)
        return try take(try connection.readResponse())
    }

    /// Sends the next bytes.
    func upload(_ data: [UInt8]) throws { try poll(data) }

    /// Puts what an answer brought where it belongs.
    @discardableResult func take(_ answer: HTTPResponse) throws -> PollFrame {
        guard answer.status == 200, let frame = try PollFrame.all(in: answer.body).first else {
            throw TestFailure("no answer but \(answer.status): \(answer.text)")
        }
        if frame.offset <= UInt64(received.count) {
            received += frame.data.dropFirst(received.count - Int(frame.offset))
        }
        return frame
    }

    /// The mux frames that have come.
    func muxFrames() throws -> [Mux.Received] {
        var rest = received[...]
        var frames: [Mux.Received] = []
        while rest.count >= 2 {
            var length = Int(rest[rest.startIndex + 1])
            var head = 2
            if length == 126 {
                guard rest.count >= 4 else { break }
                length = Int(rest[rest.startIndex + 2]) << 8 | Int(rest[rest.startIndex + 3])
                head = 4
            }
            guard rest.count >= head + length else { break }
            let payload = Array(rest.dropFirst(head).prefix(length))
            if rest.first == 0x82 { frames += try Mux.Received.all(in: payload) }
            rest = rest.dropFirst(head + length)
        }
        return frames
    }
}
