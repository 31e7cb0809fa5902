import Foundation

/// The side of an old server that callers see.
extension OldServerCore {
    /// Answers a request.
    ///
    /// - Returns: false when the connection is over.
    func handle(_ request: MessageHead, _ connection: OriginConnection) throws -> Bool {
        guard request.target.hasPrefix(options.basePath) else {
            try connection.refuse(404, "Not found")
            return false
        }
        let target = String(request.target.dropFirst(options.basePath.count))
        if target == "/_tunnel" {
            try serveTunnel(request, connection)
            return false
        }
        let body = try readBody(of: request, connection)
        if target == "/_health_check" {
            try connection.respond(text: "WSTUNSRV RUNNING\n")
            return true
        }
        let token: String
        var path = target
        if target.hasPrefix("/_token/") {
            let parts = target.dropFirst("/_token/".count).split(
                separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                try connection.refuse(400, "Missing token in URI")
                return true
            }
            token = parts[0].removingPercentEncoding ?? ""
            path = "/" + parts[1]
        } else if let value = request["X-Token"] {
            token = value
        } else {
            try connection.refuse(400, "Missing X-Token header")
            return true
        }
        return try forward(request, path, body, token: token, connection)
    }

    private func readBody(of request: MessageHead, _ connection: OriginConnection) throws -> [UInt8]? {
        if connection.framing(of: request) != .none && request.has("Expect", "100-continue") {
            try connection.writeHead(100)
        }
        let body = try connection.readBody(of: request)
        return body.isEmpty && request["Content-Length"] == nil ? nil : body
    }

    /// The request as it crosses the tunnel. The token stays in it: that is how the old program leaks it.
    private func text(of request: MessageHead, _ path: String, _ body: [UInt8]?) -> [UInt8] {
        var dropped = OldFacts.hopByHop.union(["content-length", "transfer-encoding", "expect"])
        for name in request.values("Connection").joined(separator: ",").lowercased().split(separator: ",") {
            dropped.insert(name.filter { $0 != " " })
        }
        var lines = ["\(request.method) \(path) HTTP/1.1"]
        lines += request.fields.filter { !dropped.contains($0.name.lowercased()) }.map {
            "\($0.name): \($0.value)"
        }
        guard let body else { return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) }
        let framing =
            options.chunksRequests ? "Transfer-Encoding: chunked" : "Content-Length: \(body.count)"
        let head = Array(((lines + [framing]).joined(separator: "\r\n") + "\r\n\r\n").utf8)
        return head + (options.chunksRequests ? chunked(body) : body)
    }

    private func chunked(_ body: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: 10_000) {
            let chunk = body[start..<min(body.count, start + 10_000)]
            text += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10]
        }
        return text + Array("0\r\n\r\n".utf8)
    }

    private func forward(
        _ request: MessageHead, _ path: String, _ body: [UInt8]?, token: String,
        _ connection: OriginConnection
    ) throws -> Bool {
        let call = OldCall(text: text(of: request, path, body), method: request.method)
        switch enqueue(call, token: token) {
        case .unknownToken:
            try connection.refuse(404, "Tunnel not found (or not seen in a long time)")
            return true
        case .full:
            try connection.refuse(504, "too many requests in-flight, tunnel broken?")
            return true
        case .waits: break
        }
        defer { retire(call, token: token) }
        let response = OldResponse(call, connection, self)
        do {
            try response.relay()
        } catch let end as OldPipe.End {
            guard !response.hasBegun, end != .callerLeft else {
                // Never looks whole.
                connection.socket.reset()
                return false
            }
            switch end {
            case .timedOut, .shutdown: try connection.refuse(504, "Tunnel timeout")
            case .broken, .whole, .callerLeft: try connection.refuse(506, "Cannot parse the response")
            }
        }
        return !request.has("Connection", "close") && !request.startLine.hasSuffix("HTTP/1.0")
    }
}

extension OriginConnection {
    /// Answers as the old server refuses things.
    func refuse(_ status: Int, _ text: String) throws {
        var fields = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
        if status == 401 { fields.append(("WWW-Authenticate", #"Basic realm="wstunnel""#)) }
        try respond(status, fields: fields, text: text + "\n")
    }
}

/// A response on its way to a caller, out as its fragments arrive.
final class OldResponse {
    private let call: OldCall
    private let connection: OriginConnection
    private let core: OldServerCore
    private let deadline: Date
    /// Whether the caller has seen some of it.
    private(set) var hasBegun = false

    init(_ call: OldCall, _ connection: OriginConnection, _ core: OldServerCore) {
        self.call = call
        self.connection = connection
        self.core = core
        deadline = Date(timeIntervalSinceNow: core.options.httpTimeout.inSeconds)
    }

    /// Reads the response to its end and hands it on.
    ///
    /// - Throws: `OldPipe.End` when it does not come, or not whole.
    func relay() throws {
        let violations = core.violations
        var text: [UInt8] = []
        var found: (head: MessageHead, end: Int)?
        while found == nil {
            do {
                text += try take()
            } catch OldPipe.End.whole {
                violations.add(
                    "a response without a whole head: \(String(decoding: text.prefix(80), as: UTF8.self))")
                throw OldPipe.End.whole
            }
            found = OldText.head(in: text, violations)
        }
        guard let (head, end) = found else { return }
        let parts = head.startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, ["HTTP/1.1", "HTTP/1.0"].contains(parts[0]), (200...999).contains(head.status)
        else {
            violations.add("no status line of a final response: \(head.startLine)")
            throw OldPipe.End.whole
        }
        OldText.expectNoHopByHop(in: head, violations)
        let isBodiless = call.method == "HEAD" || head.status == 204 || head.status == 304
        let declared = OldText.framing(of: head, violations, whenSilent: .untilClose)
        let framing = isBodiless ? .none : declared
        var body = OldBody(framing, of: "the body of \(head.startLine)", violations)
        try write(head, framing)
        var piece = Array(text[end...])
        while true {
            let content = body.take(piece)
            if framing == .untilClose || framing == .chunked {
                try connection.socket.writeChunk(content)
            } else {
                try connection.socket.write(content)
            }
            do {
                piece = try take()
            } catch OldPipe.End.whole {
                break
            }
        }
        guard body.isWhole else {
            violations.add("the body of \(head.startLine) is cut short")
            throw OldPipe.End.broken
        }
        if framing == .untilClose || framing == .chunked { try connection.socket.writeLastChunk() }
    }

    private func take() throws -> [UInt8] {
        try call.pipe.take(deadline: deadline) { !connection.socket.hasPeerLeft }
    }

    private func write(_ head: MessageHead, _ framing: BodyFraming) throws {
        let dropped = OldFacts.hopByHop.union(["transfer-encoding"])
        var fields = head.fields.filter { !dropped.contains($0.name.lowercased()) }.map {
            ($0.name, $0.value)
        }
        if framing == .untilClose || framing == .chunked { fields.append(("Transfer-Encoding", "chunked")) }
        let parts = head.startLine.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        try connection.socket.writeHead("HTTP/1.1 \(parts[1])", fields)
        hasBegun = true
    }
}
