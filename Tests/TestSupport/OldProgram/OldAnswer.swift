import Foundation
import Synchronization

/// The answer of an old client to one request. For the thread of its handler.
package final class OldAnswer: Sendable {
    /// How answers look.
    package struct Style: Sendable {
        package enum Framing: Hashable, Sendable {
            /// `Content-Length` where the length is known, else chunked.
            case plain
            case chunked
            /// Neither: the body ends with the message.
            case untilEnd
        }
        package enum Fields: Hashable, Sendable, CaseIterable {
            case canonical, lowerCase, upperCase, withoutSpaces, withManySpaces
        }
        package var framing = Framing.plain
        package var fields = Fields.canonical
        package var version = "HTTP/1.1"
        /// Behind the status code, the space before it included.
        package var reason = " OK"
        package init(
            framing: Framing = .plain, fields: Fields = .canonical, version: String = "HTTP/1.1",
            reason: String = " OK"
        ) {
            (self.framing, self.fields, self.version, self.reason) = (framing, fields, version, reason)
        }
    }

    private let request: OldRequest
    private let link: OldLink
    private let options: OldTunnelClient.Options
    private let writer = Mutex<OldLink.Writer?>(nil)
    private let isChunked = Mutex(false)

    init(to request: OldRequest, _ link: OldLink, _ options: OldTunnelClient.Options) {
        self.request = request
        self.link = link
        self.options = options
    }

    /// Sends a whole answer in one message.
    package func respond(
        _ status: Int = 200, fields: [(String, String)] = [], body: [UInt8] = []
    ) throws {
        let framing = framing(of: status, length: body.count)
        let text = head(status, fields + framing.fields) + framed(body, framing) + lastChunk(framing)
        try sendNoise()
        for _ in 0..<(options.answersTwice ? 2 : 1) { try send(id: request.id, text) }
        try sendNoise()
    }

    package func respond(_ status: Int = 200, fields: [(String, String)] = [], text: String) throws {
        try respond(status, fields: fields, body: Array(text.utf8))
    }

    /// Begins an answer whose body comes in pieces; no other answer leaves on this connection before
    /// `end`.
    ///
    /// - Parameter length: of the body; nil when nobody knows.
    package func begin(
        _ status: Int = 200, fields: [(String, String)] = [], length: Int? = nil
    ) throws {
        let framing = framing(of: status, length: length)
        isChunked.withLock { $0 = framing == .chunked }
        try sendNoise()
        let writer = link.beginMessage()
        self.writer.withLock { $0 = writer }
        let text = Array(OldFacts.text(ofID: request.id).utf8) + head(status, fields + framing.fields)
        try writer.write(text, isEnd: false)
    }

    /// Sends a piece of the body: a fragment, unless they are cut.
    package func write(_ piece: [UInt8]) throws {
        if piece.isEmpty { return }
        let framing = isChunked.withLock { $0 } ? Sending.chunked : .asItIs
        try current().write(framed(piece, framing), isEnd: false)
    }

    /// Ends what `begin` began.
    package func end() throws {
        let framing = isChunked.withLock { $0 } ? Sending.chunked : .asItIs
        try current().write(lastChunk(framing), isEnd: true)
        writer.withLock { $0 = nil }
        try sendNoise()
    }

    /// Sends a message of any text with this request's id or another.
    package func send(id: Int? = nil, _ text: [UInt8]) throws {
        try link.send(message: Array(OldFacts.text(ofID: id ?? request.id).utf8) + text)
    }

    /// Breaks off the connection on which the request came.
    package func cutConnection() { link.socket.cut() }

    // MARK: Text

    private enum Sending: Equatable {
        case none, asItIs, chunked
        case length(Int)

        var fields: [(String, String)] {
            switch self {
            case .none, .asItIs: []
            case .chunked: [("Transfer-Encoding", "chunked")]
            case .length(let length): [("Content-Length", String(length))]
            }
        }
    }

    private func framing(of status: Int, length: Int?) -> Sending {
        if status == 204 || status == 304 { return .none }
        if request.method == "HEAD" { return length.map { $0 > 0 ? .length($0) : .none } ?? .none }
        switch options.style.framing {
        case .chunked: return .chunked
        case .untilEnd: return .asItIs
        case .plain: return length.map { .length($0) } ?? .chunked
        }
    }

    private func head(_ status: Int, _ fields: [(String, String)]) -> [UInt8] {
        let style = options.style
        let lines = fields.map { name, value in
            switch style.fields {
            case .canonical: "\(name): \(value)"
            case .lowerCase: "\(name.lowercased()): \(value)"
            case .upperCase: "\(name.uppercased()): \(value)"
            case .withoutSpaces: "\(name):\(value)"
            case .withManySpaces: "\(name): \t  \(value)  "
            }
        }
        let start = "\(style.version) \(status)\(style.reason)"
        return Array((([start] + lines).joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    private func framed(_ body: [UInt8], _ framing: Sending) -> [UInt8] {
        switch framing {
        case .none: return []
        case .asItIs: return body
        case .length: return request.method == "HEAD" ? [] : body
        case .chunked where body.isEmpty: return []
        case .chunked: return Array("\(String(body.count, radix: 16))\r\n".utf8) + body + [13, 10]
        }
    }

    private func lastChunk(_ framing: Sending) -> [UInt8] {
        framing == .chunked ? Array("0\r\n\r\n".utf8) : []
    }

    private func current() throws -> OldLink.Writer {
        guard let writer = writer.withLock({ $0 }) else { throw TestFailure("the answer has not begun") }
        return writer
    }

    private func sendNoise() throws {
        guard options.answersUnknownIDs else { return }
        try send(id: 31_999, Array("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nunasked".utf8))
    }
}

// MARK: - To a real origin

extension OldTunnelClient {
    /// Connects, and hands requests to an origin on a port of 127.0.0.1.
    package convenience init(port: Int, to origin: Int, _ options: Options) throws {
        try self.init(port: port, options) { request, answer in
            try Self.forward(request, to: origin, answer)
        }
    }

    private static func forward(_ request: OldRequest, to port: Int, _ answer: OldAnswer) throws {
        let origin: HTTPConnection
        do {
            origin = try HTTPConnection(port: port)
        } catch {
            return try answer.respond(502, fields: [("Content-Type", "text/plain")], text: "\(error)\n")
        }
        let kept = request.head.fields.filter {
            !["host", "content-length", "transfer-encoding"].contains($0.name.lowercased())
        }
        let hasBody = !request.body.isEmpty || request.head["Content-Length"] != nil
        let length = hasBody ? [("Content-Length", String(request.body.count))] : []
        try origin.socket.writeHead(
            "\(request.method) \(request.target) HTTP/1.1",
            [("Host", "127.0.0.1:\(port)")] + kept.map { ($0.name, $0.value) } + length)
        // An origin may answer before it has read the body whole.
        Thread.detachNewThread { try? origin.send(request.body) }
        let head = try origin.readHead()
        let dropped = OldFacts.hopByHop.union(["content-length", "transfer-encoding"])
        let framing = HTTPConnection.framing(of: head, toMethod: request.method)
        try answer.begin(
            head.status,
            fields: head.fields.filter { !dropped.contains($0.name.lowercased()) }.map {
                ($0.name, $0.value)
            },
            length: head["Content-Length"].flatMap { Int($0) })
        do {
            try origin.socket.readBody(framing) { try answer.write($0) }
        } catch let end as StreamEnd {
            // The origin broke off: so does the old program's message, which it cannot take back.
            answer.cutConnection()
            throw end
        }
        try answer.end()
    }
}
