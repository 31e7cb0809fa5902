import TestSupport
import Testing

/// An old client dies of a message over 100 MiB: it must never get one.
@Suite(.timeLimit(.minutes(1))) struct OldLimitTests {
    private static let limit = 100 << 20
    private static let token = [("X-Token", MixedTunnel.token)]

    private final class World: Sendable {
        let server: AgentProcess
        let port: Int
        let client: OldTunnelClient

        init(toleratesCutRequests: Bool = false, _ handler: @escaping OldTunnelClient.Handler) throws {
            server = try AgentProcess(configuration: Configuration.server())
            port = try server.port(ofServer: "public")
            var options = OldTunnelClient.Options(token: MixedTunnel.token)
            options.toleratesCutRequests = toleratesCutRequests
            client = try OldTunnelClient(port: port, options, handler)
            try server.waitForSessions(1)
        }

        /// Expects that the tunnel carries requests, and that the client has nothing to complain of.
        func expectLife(sourceLocation: SourceLocation = #_sourceLocation) throws {
            let answer = try HTTPConnection(port: port)
                .exchange("POST", "/after", fields: OldLimitTests.token, body: Array("alive".utf8))
            #expect(answer.text == "alive", sourceLocation: sourceLocation)
            #expect(client.violations == [], sourceLocation: sourceLocation)
            #expect(client.endedCount == 0, sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: [limit, limit + 1, 1 << 40])
    func aRequestThatSaysItIsTooLargeIsRefusedAtOnce(length: Int) throws {
        let world = try World { request, answer in try answer.respond(body: request.body) }
        let caller = try HTTPConnection(port: world.port)
        try caller.send("POST", "/", fields: Self.token + [("Content-Length", String(length))])
        let answer = try caller.readResponse()
        #expect(answer.status == 413)
        #expect(answer.head["Content-Type"]?.hasPrefix("text/plain") == true)
        #expect(answer.text.contains("100 MiB"))
        try world.expectLife()
        #expect(world.client.ids == [1])
    }

    /// What has left cannot be taken back: the message ends where it is, a request that is not whole.
    @Test func aRequestThatGrowsTooLargeIsRefused() throws {
        let world = try World(toleratesCutRequests: true) { request, answer in
            try answer.respond(body: request.body)
        }
        let caller = try HTTPConnection(port: world.port)
        try caller.send("POST", "/", fields: Self.token + [("Transfer-Encoding", "chunked")])
        let sending = Background {
            let piece = [UInt8](repeating: 7, count: 1 << 20)
            // The server may end the connection in the middle.
            do { for _ in 0..<101 { try caller.socket.writeChunk(piece) } } catch is StreamEnd {}
        }
        let answer = try caller.readResponse()
        #expect(answer.status == 413)
        #expect(answer.text.contains("100 MiB"))
        caller.close()
        try sending.value()
        try world.expectLife()
    }

    @Test func aRequestJustBelowTheLimitIsCarried() throws {
        let world = try World { request, answer in
            guard request.target != "/after" else { return try answer.respond(body: request.body) }
            try answer.respond(text: "\(request.body.count)")
        }
        let length = Self.limit - 4096
        let caller = try HTTPConnection(port: world.port, limit: .seconds(40))
        try caller.send("POST", "/", fields: Self.token + [("Content-Length", String(length))])
        let piece = [UInt8](repeating: 7, count: 1 << 20)
        for _ in 0..<99 { try caller.send(piece) }
        try caller.send([UInt8](repeating: 7, count: length - 99 << 20))
        #expect(try caller.readResponse().text == "\(length)")
        try world.expectLife()
    }

    @Test func aCallerThatLeavesItsUploadHarmsNobodyElse() throws {
        let world = try World(toleratesCutRequests: true) { request, answer in
            try answer.respond(body: request.body)
        }
        let caller = try HTTPConnection(port: world.port)
        try caller.send("POST", "/left", fields: Self.token + [("Content-Length", "1000000")])
        try caller.send([UInt8](repeating: 7, count: 200_000))
        try world.expectLife()
        caller.reset()
        try world.server.waitForLog("Request", ["path": "/left", "outcome": "caller-left"])
        try world.expectLife()
    }

    /// The limit is the old client's: what it sends itself has none.
    @Test(arguments: [OldAnswer.Style.Framing.plain, .chunked])
    func anAnswerBeyondTheLimitComesWhole(framing: OldAnswer.Style.Framing) throws {
        let pieces = 101
        let world = try World { request, answer in
            guard request.target == "/large" else { return try answer.respond(body: request.body) }
            try answer.begin(length: framing == .plain ? pieces << 20 : nil)
            let piece = [UInt8](repeating: 7, count: 1 << 20)
            for _ in 0..<pieces { try answer.write(piece) }
            try answer.end()
        }
        let caller = try HTTPConnection(port: world.port)
        try caller.send("GET", "/large", fields: Self.token)
        let head = try caller.readHead()
        #expect(head.status == 200)
        var count = 0
        try caller.socket.readBody(HTTPConnection.framing(of: head, toMethod: "GET")) { count += $0.count }
        #expect(count == pieces << 20)
        try world.expectLife()
    }
}
