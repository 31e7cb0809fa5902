import Foundation

/// What an old server answered in place of a 101.
package struct OldRefusal: Error, CustomStringConvertible {
    package let response: HTTPResponse
    package var description: String { "refused: \(response.head)\n\(response.text)" }
}

func basicCredentials(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }

extension OldTunnelClient {
    /// Opens the tunnel as an old client does.
    ///
    /// - Throws: `OldRefusal` when the server wants none of it.
    static func shakeHands(port: Int, _ options: Options, _ violations: OldViolations) throws -> StreamSocket
    {
        let caller = try HTTPConnection(port: port)
        let key = Data((0..<16).map { _ in UInt8.random(in: 0...255) }).base64EncodedString()
        var fields = [
            ("Host", "127.0.0.1:\(port)"), ("User-Agent", "Go-http-client/1.1"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"),
        ]
        if let token = options.token { fields.append(("Origin", token)) }
        if let version = options.clientVersion { fields.append(("X-Client-Version", version)) }
        let userinfo = options.userinfo.map(basicCredentials)
        if let authorization = options.authorization {
            fields.append(("Authorization", authorization))
        } else if let password = options.password {
            fields.append(("Authorization", basicCredentials("\(options.token ?? ""):\(password)")))
            if let userinfo { fields.append(("X-Tunnel-Authorization", userinfo)) }
        } else if let userinfo {
            fields.append(("Authorization", userinfo))
        }
        try caller.socket.writeHead("GET \(options.basePath)/_tunnel HTTP/1.1", fields)
        let head = try caller.readHead()
        guard head.status == 101 else {
            throw OldRefusal(response: try refusal(head, caller, violations))
        }
        violations.expect(head.startLine.hasPrefix("HTTP/1.1 101"), head.startLine)
        violations.expect(head["Upgrade"]?.lowercased() == "websocket", "Upgrade of the 101 in \(head)")
        violations.expect(head.has("Connection", "upgrade"), "Connection of the 101 in \(head)")
        violations.expect(
            head.values("Sec-WebSocket-Accept") == [WebSocketWire.accept(forKey: key)],
            "Sec-WebSocket-Accept in \(head)")
        for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
            violations.expect(head[name] == nil, "\(name), which was not offered, in \(head)")
        }
        return caller.socket
    }

    private static func refusal(
        _ head: MessageHead, _ caller: HTTPConnection, _ violations: OldViolations
    ) throws -> HTTPResponse {
        violations.expect(
            head["Content-Type"]?.hasPrefix("text/plain") == true, "a refusal that is no text/plain: \(head)")
        violations.expect(
            head["X-Content-Type-Options"] == "nosniff", "a refusal without nosniff: \(head)")
        if head.status == 401 {
            violations.expect(
                head.values("WWW-Authenticate") == [#"Basic realm="wstunnel""#],
                "WWW-Authenticate of a 401: \(head)")
        }
        var body: [UInt8] = []
        try caller.socket.readBody(HTTPConnection.framing(of: head, toMethod: "GET")) { body += $0 }
        return HTTPResponse(informational: [], head: head, body: body, trailers: [])
    }
}

/// What an old server makes of a handshake.
enum OldAdmission {
    case refused(status: Int, text: String)
    case accepted(token: String, fields: [(String, String)])

    /// Looks at a request for `/_tunnel`. What no new client would send is a violation, even where an old
    /// server would let it pass.
    static func of(
        _ request: MessageHead, _ options: OldTunnelServer.Options, _ violations: OldViolations
    ) -> OldAdmission {
        violations.expect(request.startLine.hasSuffix(" HTTP/1.1"), "handshake: \(request.startLine)")
        violations.expect(
            request.values("Host").count == 1, "Host in the handshake: \(request.values("Host"))")
        guard request.method == "GET" else {
            violations.add("a handshake by \(request.method)")
            return .refused(status: 400, text: "Only GET requests are allowed")
        }
        let version = request.values("X-Client-Version")
        violations.expect(
            version.count == 1 && version[0].utf8.allSatisfy { (0x20...0x7e).contains($0) },
            "X-Client-Version: \(version)")
        let origins = request.values("Origin")
        violations.expect(origins.count == 1, "Origin stands there \(origins.count) times")
        guard let token = origins.first, !token.isEmpty else {
            return .refused(status: 400, text: "Origin header with rendez-vous token required")
        }
        guard token.utf8.count >= OldFacts.shortestToken else {
            return .refused(status: 400, text: "Rendez-vous token (\(token)) is too short")
        }
        guard isAuthorized(request, token: token, options, violations) else {
            return .refused(status: 401, text: "Unauthorized")
        }
        let key = request["Sec-WebSocket-Key"] ?? ""
        let isHandshake =
            request["Upgrade"]?.lowercased() == "websocket" && request.has("Connection", "upgrade")
            && request.values("Sec-WebSocket-Version") == ["13"] && Data(base64Encoded: key)?.count == 16
        guard isHandshake else {
            violations.add("no WebSocket handshake: \(request)")
            return .refused(status: 400, text: "Not a websocket handshake")
        }
        return .accepted(
            token: token,
            fields: [
                ("Upgrade", "websocket"), ("Connection", "Upgrade"),
                ("Sec-WebSocket-Accept", WebSocketWire.accept(forKey: key)),
            ])
    }

    private static func isAuthorized(
        _ request: MessageHead, token: String, _ options: OldTunnelServer.Options,
        _ violations: OldViolations
    ) -> Bool {
        let authorization = request.values("Authorization")
        let second = request.values("X-Tunnel-Authorization")
        violations.expect(authorization.count <= 1, "Authorization stands there \(authorization.count) times")
        let userinfo = options.userinfo.map(basicCredentials)
        guard let password = options.passwords[token] else {
            if let userinfo, options.clientsHavePasswords {
                violations.expect(second == [userinfo], "X-Tunnel-Authorization: \(second)")
            } else {
                violations.expect(second.isEmpty, "X-Tunnel-Authorization where none is called for")
                if !options.clientsHavePasswords {
                    violations.expect(
                        authorization == (userinfo.map { [$0] } ?? []), "Authorization: \(authorization)")
                }
            }
            return true
        }
        let isRight = authorization == [basicCredentials("\(token):\(password)")]
        if isRight {
            violations.expect(second == (userinfo.map { [$0] } ?? []), "X-Tunnel-Authorization: \(second)")
        }
        return isRight
    }
}
