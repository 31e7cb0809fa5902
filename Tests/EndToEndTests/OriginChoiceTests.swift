import TestSupport
import Testing

/// `server`, `regexp` and `X-Host` decide which origin a request goes to.
@Suite struct OriginChoiceTests {
    private static func origin(_ name: String) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                let hosts = request.values("Host").joined(separator: ",")
                let leaked = request["X-Host"] == nil ? "" : " X-Host leaked"
                try connection.respond(text: "\(name) \(hosts)\(leaked)")
            }
        }
    }

    private static let pattern = #"regexp: 'http://127\.0\.0\.1:\d+'"#

    @Test(.timeLimit(.minutes(1))) func aMatchingXHostNamesTheOrigin() throws {
        let (own, named) = (try Self.origin("own"), try Self.origin("named"))
        let tunnel = try TunnelPair(to: own.url, clientOptions: [Self.pattern])
        let caller = try tunnel.connect()
        func ask(_ fields: [(String, String)]) throws -> String {
            try caller.exchange("GET", "/", fields: [("X-Token", TunnelPair.token)] + fields).text
        }
        #expect(try ask([]) == "own 127.0.0.1:\(own.port)")
        #expect(try ask([("X-Host", named.url)]) == "named 127.0.0.1:\(named.port)")
        #expect(try ask([]) == "own 127.0.0.1:\(own.port)")
    }

    @Test(.timeLimit(.minutes(1))) func anOriginThatSpeaksTLSIsNamedToTheCaller() throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.socket.write([0x15, 0x03, 0x03, 0, 2, 2, 22])
        }
        let answer = try TunnelPair(to: origin.url, connections: 1).exchange("GET", "/")
        #expect(answer.status == 502)
        #expect(
            answer.text.contains(
                "127.0.0.1:\(origin.port) speaks TLS, not plain HTTP — write https:// before it"))
    }

    @Test(.timeLimit(.minutes(1))) func aTunnelMayHaveNoOriginOfItsOwn() throws {
        let named = try Self.origin("named")
        let tunnel = try TunnelPair(to: nil, clientOptions: [Self.pattern])
        let answer = try tunnel.exchange("GET", "/", fields: [("X-Host", named.url)])
        #expect(answer.text == "named 127.0.0.1:\(named.port)")
        let refused = try tunnel.exchange("GET", "/")
        #expect(refused.status == 403)
        #expect(refused.text == "X-Host header required by wstunnel cli (no -server option)\n")
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            (
                "http://127.0.0.1:80.example.com",
                "names no origin: malformed port; use a number from 1 to 65535"
            ),
            ("https://127.0.0.1:443", "does not match regexp in wstunnel cli"),
            ("http://example.com", "does not match regexp in wstunnel cli"),
            (
                "http://127.0.0.1:80/path",
                "names no origin: path, query or fragment; write http://host:port or https://host:port alone"
            ), ("xhttp://127.0.0.1:80", "names no origin: unknown scheme; use http:// or https://"),
            ("127.0.0.1:80", "names no origin: no scheme; write http://host:port or https://host:port"),
        ])
    func anXHostThatDoesNotMatchWhollyIsRefused(host: String, why: String) throws {
        let own = try Self.origin("own")
        let tunnel = try TunnelPair(to: own.url, clientOptions: [Self.pattern])
        let answer = try tunnel.exchange("GET", "/", fields: [("X-Host", host)])
        #expect(answer.status == 403)
        #expect(answer.text == "X-Host header '\(host)' \(why)\n")
        #expect(own.connectionCount == 0)
    }

    @Test(.timeLimit(.minutes(1))) func withoutPatternXHostIsRefused() throws {
        let own = try Self.origin("own")
        let tunnel = try TunnelPair(to: own.url)
        let answer = try tunnel.exchange("GET", "/", fields: [("X-Host", own.url)])
        #expect(answer.status == 403)
        #expect(answer.text == "X-Host header disallowed by wstunnel cli (no -regexp option)\n")
        #expect(own.connectionCount == 0)
        // Some proxies put the host that was asked for into every request.
        for host in ["caller.test:80", ""] {
            let answer = try tunnel.exchange("GET", "/", fields: [("X-Host", host)])
            #expect(answer.text == "own 127.0.0.1:\(own.port)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func aRefusedUploadLeavesTheTunnelInOrder() throws {
        let own = try Self.origin("own")
        let tunnel = try TunnelPair(to: own.url, connections: 1)
        for _ in 0..<3 {
            let caller = try tunnel.connect()
            try caller.send(
                "POST", "/",
                fields: [
                    ("X-Token", TunnelPair.token), ("X-Host", own.url), ("Content-Length", "\(8 << 20)"),
                ])
            // The server may cut the upload short, so that its rest cannot be sent.
            _ = Background { try caller.send([UInt8](repeating: 0x61, count: 8 << 20)) }
            #expect(try caller.readResponse().status == 403)
        }
        #expect(try tunnel.exchange("GET", "/").text == "own 127.0.0.1:\(own.port)")
    }
}
