import Foundation
import TestSupport
import Testing

/// Clients, servers and origins that are killed or fail in the middle of requests.
///
/// Serialized: these tests block their threads, so that beside each other they would use up each other's time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostileEndTests {
    private static let token = "hostile-end-token-0001"

    private static func server(port: Int = 0) throws -> AgentProcess {
        try AgentProcess(
            configuration: "servers: [{ name: public, host: 127.0.0.1, port: \(port), queue-timeout: 20s }]\n"
        )
    }

    /// A client whose session the server knows of.
    private static func client(_ server: AgentProcess, origin: String) throws -> AgentProcess {
        let port = try server.port(ofServer: "public")
        let lines = server.log.count
        let client = try AgentProcess(
            configuration: """
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)", token: "\(token)", connections: 1 }
                """)
        try client.waitForSession(ofTunnel: "web", at: server, from: lines)
        return client
    }

    private static func caller(_ port: Int, _ target: String = "/") throws -> HTTPConnection {
        let caller = try HTTPConnection(port: port)
        try caller.send("GET", target, fields: [("X-Token", token)])
        return caller
    }

    /// `/silent` is never answered, `/half` stops in the middle, everything else is echoed.
    private static func origin(_ taken: WaitableCounter) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                taken.add(1)
                switch request.target {
                case "/silent":
                    _ = connection.waitForEnd(within: .seconds(60))
                    return
                case "/half":
                    try connection.writeHead(200, fields: [("Transfer-Encoding", "chunked")])
                    try connection.socket.writeChunk([1, 2, 3])
                    _ = connection.waitForEnd(within: .seconds(60))
                    return
                default: try connection.echo(request)
                }
            }
        }
    }

    @Test func aKilledClientIsSeenAtOnceAndItsSuccessorServes() throws {
        let taken = WaitableCounter()
        let origin = try Self.origin(taken)
        let server = try Self.server()
        let port = try server.port(ofServer: "public")
        let client = try Self.client(server, origin: origin.url)
        let silent = try Self.caller(port, "/silent")
        let half = try Self.caller(port, "/half")
        #expect(try half.readHead().status == 200)
        #expect(try half.socket.readChunk() == [1, 2, 3])
        try taken.wait(for: 2, within: .seconds(20), what: "requests")
        let start = ContinuousClock.now
        client.process.kill()
        let answer = try silent.readResponse()
        #expect(answer.status == 502)
        #expect(answer.text.contains("tunnel was lost"))
        // Neither a last chunk nor anything else that would make it look whole.
        #expect(throws: StreamEnd.self) { while try half.socket.readChunk() != nil {} }
        // Keepalive alone would take 20 s at least.
        #expect(ContinuousClock.now - start < .seconds(8))
        // Now the tunnel is down: requests wait, and are served in their order by the next client.
        try server.waitForLog("Session left")
        let waiting = try (0..<5).map { try Self.caller(port, "/waiting/\($0)") }
        let successor = try Self.client(server, origin: origin.url)
        for (number, caller) in waiting.enumerated() {
            let answer = try caller.readResponse()
            #expect(answer.status == 200)
            #expect(answer.head["X-Echo-Target"] == "/waiting/\(number)")
        }
        #expect(try Self.caller(port, "/after").readResponse().status == 200)
        // The requests that were lost were not run again.
        #expect(taken.value == 2 + 5 + 1)
        try successor.stop()
    }

    @Test func callersThatGiveUpWhileTheyWaitAreNeverServed() throws {
        let taken = WaitableCounter()
        let origin = try Self.origin(taken)
        let server = try Self.server()
        let port = try server.port(ofServer: "public")
        try Self.client(server, origin: origin.url).stop()
        let impatient = try (0..<19).map { try Self.caller(port, "/impatient/\($0)") }
        let patient = try Self.caller(port, "/patient")
        // Every event loop of the server has answered something that came later: all of them stand in the queue.
        for _ in 0..<8 {
            #expect(try HTTPConnection(port: port).exchange("GET", "/_health_check").status == 200)
        }
        // The queue holds 20.
        let refused = try Self.caller(port, "/extra").readResponse()
        #expect(refused.status == 504)
        #expect(refused.text.contains("too many requests in-flight"))
        for caller in impatient { caller.reset() }
        for number in impatient.indices {
            try server.process.standardError.waitForLine(containing: "/impatient/\(number) ")
        }
        let client = try Self.client(server, origin: origin.url)
        #expect(try patient.readResponse().status == 200)
        #expect(taken.value == 1)
        try client.stop()
    }

    @Test func aKilledServerIsComeBackToByItself() throws {
        let port = try freePort()
        let taken = WaitableCounter()
        let origin = try Self.origin(taken)
        let server = try Self.server(port: port)
        let client = try Self.client(server, origin: origin.url)
        let half = try Self.caller(port, "/half")
        #expect(try half.readHead().status == 200)
        let lines = client.log.count
        server.process.kill()
        #expect(half.waitForEnd() != .timedOut)
        // The origin's request is given up with its caller.
        try origin.waitForEnds(1)
        try client.waitForLog("Session lost", from: lines)
        let successor = try Self.server(port: port)
        try client.waitForSession(ofTunnel: "web", at: successor, within: .seconds(30))
        #expect(try Self.caller(port, "/after").readResponse().status == 200)
        try client.stop()
        try successor.stop()
    }

    @Test func aStoppedServerIsComeBackToByItself() throws {
        let port = try freePort()
        let server = try Self.server(port: port)
        let client = try Self.client(server, origin: "builtin:echo")
        #expect(try server.stop() == .code(0))
        let successor = try Self.server(port: port)
        try client.waitForSession(ofTunnel: "web", at: successor, within: .seconds(30))
        #expect(try Self.caller(port).readResponse().status == 200)
        try client.stop()
        try successor.stop()
    }

    // MARK: Origins

    struct BadOrigin: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// Part of the words of the 502; nil for a connection that is cut behind the head.
        let words: String?
        let script: ScriptedOrigin.Script
    }

    private static func bad(_ name: String, _ words: String?, sends text: String, andHangs: Bool = false)
        -> BadOrigin
    {
        BadOrigin(testDescription: name, words: words) { connection in
            guard try connection.readRequest() != nil else { return }
            try connection.socket.write(text)
            if andHangs { _ = connection.waitForEnd() }
        }
    }

    static let badOrigins: [BadOrigin] = [
        BadOrigin(testDescription: "a reset", words: "before the response was whole") { connection in
            _ = try connection.readRequest()
            connection.socket.reset()
        },
        bad("a close", "closed the connection before the response was whole", sends: ""),
        bad("garbage", "is not valid HTTP/1", sends: "garbage\r\n\r\n"),
        bad("SSH", "is an SSH server", sends: "SSH-2.0-OpenSSH\r\n\r\n", andHangs: true),
        bad("HTTP/2", "is not valid HTTP/1", sends: "HTTP/2.0 200 OK\r\n\r\n", andHangs: true),
        bad("half a head", "before the response was whole", sends: "HTTP/1.1 200 OK\r\nContent-Le"),
        bad(
            "two lengths", "is not valid HTTP/1",
            sends: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", andHangs: true),
        bad(
            "101 nobody asked for", "is not valid HTTP/1",
            sends: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", andHangs: true),
        bad(
            "a head without end", "is not valid HTTP/1",
            sends: "HTTP/1.1 200 OK\r\n"
                + String(repeating: "A: \(String(repeating: "x", count: 1000))\r\n", count: 200),
            andHangs: true),
        bad("a short body", nil, sends: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
        bad(
            "no last chunk", nil, sends: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"
        ),
        bad(
            "a broken chunk", nil,
            sends: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort\r\n", andHangs: true),
        bad(
            "broken trailers", nil,
            sends: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nbad\r\n\r\n",
            andHangs: true),
        BadOrigin(testDescription: "a reset in a body that ends with the connection", words: nil) {
            connection in
            _ = try connection.readRequest()
            try connection.socket.write("HTTP/1.1 200 OK\r\n\r\npart")
            connection.socket.reset()
        },
    ]

    @Test(arguments: badOrigins) func anOriginThatFailsIsSaidToHaveFailed(_ example: BadOrigin) throws {
        let origin = try ScriptedOrigin(example.script)
        let agent = try BesiegedAgent(origin: origin.url)
        let caller = try HTTPConnection(port: agent.port)
        try caller.send("GET", "/", fields: [("X-Token", BesiegedAgent.token)])
        if let words = example.words {
            let answer = try caller.readResponse()
            #expect(answer.status == 502)
            #expect(answer.text.contains(words), "\(answer.text)")
            #expect(answer.text.contains("127.0.0.1:\(origin.port)"))
            #expect(try caller.exchange("GET", "/_health_check").status == 200)
        } else {
            try caller.expectBrokenAnswer()
        }
    }

    @Test func aKilledOriginIsSaidToBeAwayUntilItComesBack() throws {
        let origin = try ScriptedOrigin.echo()
        let agent = try BesiegedAgent(origin: origin.url)
        #expect(try agent.request().status == 200)
        origin.close()
        for _ in 0..<3 {
            let answer = try agent.request()
            #expect(answer.status == 502)
            #expect(answer.text.contains("refuses connections"), "\(answer.text)")
            #expect(answer.head["Content-Type"] == "text/plain; charset=utf-8")
        }
        let successor = try ScriptedOrigin.echo(port: origin.port)
        #expect(try agent.request().status == 200)
        successor.close()
    }

    @Test func anOriginThatAnswersEarlyAndClosesIsHeard() throws {
        let origin = try ScriptedOrigin { connection in
            guard try connection.readRequest() != nil else { return }
            try connection.writeHead(413, fields: [("Content-Length", "8"), ("Connection", "close")])
            try connection.socket.write("too much")
            // In good order: a reset could overtake the answer.
            connection.socket.finishWriting()
            _ = connection.waitForEnd(within: .seconds(10))
        }
        let agent = try BesiegedAgent(origin: origin.url)
        let caller = try HTTPConnection(port: agent.port)
        try caller.send(
            "POST / HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\nContent-Length: 100000000\r\n\r\n"
        )
        let answer = try caller.readResponse()
        #expect(answer.status == 413)
        #expect(answer.text == "too much")
        #expect(caller.waitForEnd() != .timedOut)
    }
}
