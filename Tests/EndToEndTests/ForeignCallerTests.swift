import Foundation
import TestSupport
import Testing

/// Who speaks something else than was expected is told what, and so is who runs the server.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ForeignCallerTests {
    private static let proxyVersion2: [UInt8] =
        [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, 0x21, 0x11, 0, 12] + Array(1...12)

    @Test func anotherProtocolIsNamedInAnswerAndLog() throws {
        let agent = try BesiegedAgent()
        let get = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        for (bytes, code, words) in [
            // Its sender waits for an answer: without a line end nothing else would come for ten seconds.
            ([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3], "tls-spoken", "not TLS"),
            (
                Array("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n".utf8) + get, "proxy-protocol",
                "PROXY protocol"
            ),
            (Self.proxyVersion2 + get, "proxy-protocol", "PROXY protocol"),
        ] as [([UInt8], String, String)] {
            let caller = try HTTPConnection(port: agent.port, limit: .seconds(9))
            try caller.send(bytes)
            let answer = try caller.readResponse()
            #expect(answer.status == 400)
            #expect(answer.text.contains(words), "\(answer.text)")
            #expect(caller.waitForEnd() == .closed)
            let line = try agent.agent.waitForLog("Connection is not HTTP", ["error.code": code])
            #expect(line["level"] == "warning")
            #expect(line["times"] == "1")
            #expect(line["error.message"]?.contains(words) == true)
        }
        // The third is told of with the next, a minute later.
        #expect(agent.agent.log.count { $0.contains("Connection is not HTTP") } == 2)
        #expect(try curl("-k", "https://127.0.0.1:\(agent.port)/").exitCode == 35)
    }

    /// What a tunnel client at the wrong path is told must help its owner.
    @Test func aHandshakeAtTheWrongPathIsNotAskedForAField() throws {
        let server = try AgentProcess(configuration: Configuration.server(["base-path: /w"]))
        let port = try server.port(ofServer: "public")
        for target in ["/_tunnel", "/w/x/_tunnel"] {
            let answer = try HTTPConnection(port: port).exchange(
                "GET", target,
                fields: [
                    ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", BesiegedAgent.token),
                ])
            #expect(answer.status == 404)
            #expect(answer.text.contains("base path"))
        }
    }

    /// RFC 9110 §7.6.2
    @Test func aRequestThatMayGoNoFurtherIsAnsweredHere() throws {
        let agent = try BesiegedAgent()
        let token = ("X-Token", BesiegedAgent.token)
        for (method, hops, status, words) in [
            ("OPTIONS", "0", 200, "A tunnel server"), ("TRACE", "0", 501, "TRACE"),
            ("OPTIONS", "3", 200, "Max-Forwards: 2"), ("GET", "0", 200, "Max-Forwards: 0"),
        ] {
            let answer = try HTTPConnection(port: agent.port).exchange(
                method, "/", fields: [token, ("Max-Forwards", hops)])
            #expect(answer.status == status)
            #expect(answer.text.contains(words), "\(answer.text)")
        }
    }

    @Test func healthChecksAreALineAtDebugAlone() throws {
        for (level, isThere) in [("info", false), ("debug", true)] {
            let server = try AgentProcess(
                configuration: "log: { level: \(level) }\n" + Configuration.server())
            let caller = try HTTPConnection(port: server.port(ofServer: "public"))
            for target in ["/_health_check", "/_stats"] {
                #expect(try caller.exchange("GET", target).status == 200)
            }
            try server.waitForLog("Request", ["path": "/_stats", "level": "info"])
            let line = server.log.first {
                $0.contains("Request") && $0.contains("path=/_health_check")
            }
            #expect((line != nil) == isThere)
            if let line { #expect(line.contains("level=debug")) }
        }
    }
}
