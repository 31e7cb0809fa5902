/// A whole response.
package struct HTTPResponse: Sendable {
    /// The heads that came before the final one (100, 103).
    package let informational: [MessageHead]
    package let head: MessageHead
    package let body: [UInt8]
    package let trailers: [(name: String, value: String)]

    package var status: Int { head.status }
    package var text: String { String(decoding: body, as: UTF8.self) }
}

/// A caller on a raw socket: it sends what it is told, right or wrong, and reads strictly.
package final class HTTPConnection: Sendable {
    /// The connection itself, for everything that is not a message.
    package let socket: StreamSocket

    /// Connects to a port of 127.0.0.1.
    ///
    /// - Parameters:
    ///   - limit: how long each read or write may take.
    ///   - source: the last byte of the address that it comes from, in 127.0.0.0/24; nil for the usual.
    package init(
        port: Int, limit: Duration = .seconds(20), receiveBuffer: Int32? = nil, from source: UInt8? = nil
    ) throws {
        socket = try StreamSocket(port: port, limit: limit, receiveBuffer: receiveBuffer, from: source)
    }

    /// Connects to a Unix domain socket.
    package init(path: String, limit: Duration = .seconds(20)) throws {
        socket = try StreamSocket(path: path, limit: limit)
    }

    /// Sends text as it is: write CR LF where there should be some.
    package func send(_ text: String) throws { try socket.write(text) }

    package func send(_ bytes: [UInt8]) throws { try socket.write(bytes) }

    /// Sends a request with `Host`, and with `Content-Length` where there is a body.
    package func send(
        _ method: String, _ target: String, fields: [(String, String)] = [], body: [UInt8]? = nil
    ) throws {
        var all = [("Host", "caller.test")] + fields
        if let body { all.append(("Content-Length", String(body.count))) }
        try socket.writeHead("\(method) \(target) HTTP/1.1", all)
        if let body { try socket.write(body) }
    }

    /// Reads the next head.
    package func readHead() throws -> MessageHead { try socket.readHead() }

    /// Reads a response whole; heads of 1xx come before it, 101 is final.
    package func readResponse(toMethod method: String = "GET") throws -> HTTPResponse {
        var informational: [MessageHead] = []
        var head = try readHead()
        while (100..<200).contains(head.status) && head.status != 101 {
            informational.append(head)
            head = try readHead()
        }
        var body: [UInt8] = []
        let framing = Self.framing(of: head, toMethod: method)
        let trailers = try socket.readBody(framing) { body += $0 }
        return HTTPResponse(informational: informational, head: head, body: body, trailers: trailers)
    }

    /// Sends a request and reads its response.
    package func exchange(
        _ method: String, _ target: String, fields: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> HTTPResponse {
        try send(method, target, fields: fields, body: body)
        return try readResponse(toMethod: method)
    }

    /// Where the body of a response ends (RFC 9112 §6.3).
    package static func framing(of head: MessageHead, toMethod method: String) -> BodyFraming {
        if method == "HEAD" || head.status < 200 || head.status == 204 || head.status == 304 { return .none }
        if head.has("Transfer-Encoding", "chunked") { return .chunked }
        if let length = head["Content-Length"].flatMap({ Int($0) }) { return .length(length) }
        return .untilClose
    }

    /// Waits for the peer to close or reset.
    package func waitForEnd(within limit: Duration = .seconds(20)) -> StreamEnd {
        socket.waitForEnd(within: limit)
    }

    package func close() { socket.close() }

    /// Breaks the connection off: the peer sees a reset.
    package func reset() { socket.reset() }
}
