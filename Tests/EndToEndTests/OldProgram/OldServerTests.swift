import TestSupport
import Testing

/// Our client with an old server: what only the old one's oddities show.
@Suite(.timeLimit(.minutes(1))) struct OldServerTests {
    private static let token = [("X-Token", MixedTunnel.token)]

    private static func client(
        _ server: OldTunnelServer, to origin: String, options: [String] = ["connections: 1"]
    ) throws -> AgentProcess {
        try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(server.port)", to: origin, token: MixedTunnel.token,
                options: options))
    }

    @Test(arguments: OldClientTests.fragmentations, [false, true])
    func requestsArriveHoweverTheyAreCut(fragmentation: OldFragmentation, isChunked: Bool) throws {
        var options = OldTunnelServer.Options()
        options.fragmentation = fragmentation
        options.chunksRequests = isChunked
        let server = try OldTunnelServer(options)
        let origin = try ScriptedOrigin.echo()
        let client = try Self.client(server, to: origin.url)
        try server.waitForClients(1)
        for size in [0, 1, 3000, 50_000] where size < 10_000 || fragmentation != .bytes {
            let body = SplitMix64(seed: 6).sequence(size)
            let answer = try HTTPConnection(port: server.port)
                .exchange("POST", "/\(size)", fields: Self.token, body: body)
            #expect(answer.status == 200)
            let isSame = answer.body == body
            #expect(isSame, "\(size) bytes: \(answer.body.count)")
        }
        if fragmentation == .withPings { try server.waitForPongs(10) }
        #expect(server.violations == [])
        #expect(server.acceptedCount == 1)
        #expect(client.process.exit == nil)
    }

    @Test func idsAreHandedBackAcrossTheirEnd() throws {
        var options = OldTunnelServer.Options()
        options.firstID = 31_990
        let server = try OldTunnelServer(options)
        let origin = try ScriptedOrigin.echo()
        let client = try Self.client(server, to: origin.url)
        try server.waitForClients(1)
        for number in 0..<20 {
            let answer = try HTTPConnection(port: server.port)
                .exchange("GET", "/\(number)", fields: Self.token)
            #expect(answer.head["X-Echo-Target"] == "/\(number)")
        }
        #expect(server.violations == [])
        #expect(client.process.exit == nil)
    }

    @Test func answersComeInTheOrderInWhichTheyAreReady() throws {
        let gates = (0..<10).map { _ in Gate() }
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            let number = Int(request.target.dropFirst()) ?? 0
            if number < 9 { try gates[number + 1].wait() }
            try connection.respond(text: request.target)
            gates[number].open()
        }
        let server = try OldTunnelServer()
        let client = try Self.client(server, to: origin.url)
        try server.waitForClients(1)
        let callers = try (0..<10).map { number in
            let caller = try HTTPConnection(port: server.port)
            try caller.send("GET", "/\(number)", fields: Self.token)
            return caller
        }
        for (number, caller) in callers.enumerated() {
            #expect(try caller.readResponse().text == "/\(number)")
        }
        #expect(server.violations == [])
        #expect(client.process.exit == nil)
    }

    @Test func severalConnectionsAreOpenedAndAllAreUsed() throws {
        let finish = Gate()
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                if request.target == "/slow" {
                    try connection.startEventStream()
                    try connection.sendEvent("first")
                    try finish.wait(within: .seconds(40))
                    try connection.socket.writeLastChunk()
                } else {
                    try connection.respond(text: request.target)
                }
            }
        }
        let server = try OldTunnelServer()
        let client = try Self.client(server, to: origin.url, options: ["connections: 3"])
        try server.waitForClients(3)
        let slow = try HTTPConnection(port: server.port)
        try slow.send("GET", "/slow", fields: Self.token)
        #expect(try slow.readHead().status == 200)
        #expect(try slow.socket.readChunk() == Array("data: first\n\n".utf8))
        let answered = WaitableCounter()
        // Which connection takes a request is the old server's choice. The two that are free answer.
        // Fewer than it lets wait for one token.
        let callers = try (0..<15).map { number in
            let caller = try HTTPConnection(port: server.port)
            try caller.send("GET", "/\(number)", fields: Self.token)
            return Background {
                defer { answered.add(1) }
                return try caller.readResponse().text
            }
        }
        try answered.wait(for: 1, within: .seconds(15), what: "answers beside the slow one")
        finish.open()
        #expect(try slow.socket.readChunk() == nil)
        for (number, caller) in callers.enumerated() {
            let text = try caller.value()
            #expect(text == "/\(number)")
        }
        #expect(server.violations == [])
        #expect(client.process.exit == nil)
    }

    @Test func pingsGoOutInThirdsOfTheTimeoutAndTheirAnswersAreNoted() throws {
        let server = try OldTunnelServer()
        let folder = try TemporaryFolder()
        let client = try Self.client(
            server, to: "http://127.0.0.1:1",
            options: ["connections: 1", "timeout: 3s", "statusfile: \(folder.path(of: "status"))"])
        try server.waitForPings(4)
        // Each may be late by itself, on a busy machine; together they keep to the time.
        let pings = Array(server.pings.prefix(4))
        let time = try #require(pings.last) - (try #require(pings.first))
        #expect(time > .seconds(2) && time < .seconds(3 * 3), "\(time)")
        #expect(try folder.text(of: "status").hasPrefix("Unix: "))
        #expect(server.violations == [])
        #expect(client.process.exit == nil)
    }

    @Test func aServerThatAnswersNoPingIsLeftAndDialledAgain() throws {
        var options = OldTunnelServer.Options()
        options.answersPings = false
        let server = try OldTunnelServer(options)
        let start = ContinuousClock.now
        let client = try Self.client(
            server, to: "http://127.0.0.1:1", options: ["connections: 1", "timeout: 3s"])
        try server.waitForLosses(1)
        #expect(ContinuousClock.now - start >= .seconds(3))
        try server.waitForClients(2)
        #expect(server.violations == [])
        #expect(client.process.exit == nil)
    }

    @Test(arguments: [
        WebSocketMessage.text("hello"), .binary([]), .binary(Array("00".utf8)),
        .binary(Array("zzzzGET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)),
    ])
    func whatIsNoMessageOfTheProtocolEndsTheConnection(message: WebSocketMessage) throws {
        let server = try OldTunnelServer()
        let origin = try ScriptedOrigin.echo()
        let client = try Self.client(server, to: origin.url)
        try server.waitForClients(1)
        try server.sendRaw(message)
        try server.waitForLosses(1)
        try server.waitForClients(2)
        let answer = try HTTPConnection(port: server.port).exchange("GET", "/after", fields: Self.token)
        #expect(answer.head["X-Echo-Target"] == "/after")
        #expect(server.violations == [])
        #expect(client.process.exit == nil)
    }

    @Test(arguments: [
        "GET / HTTP/1.1", "nonsense\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nshort",
    ])
    func aRequestThatIsNoneGetsAnErrorAndHarmsNobody(text: String) throws {
        let server = try OldTunnelServer()
        let origin = try ScriptedOrigin.echo()
        let client = try Self.client(server, to: origin.url)
        try server.waitForClients(1)
        // An id that the server will not ask with meanwhile.
        try server.sendRaw(.binary(Array("7000\(text)".utf8)))
        #expect(
            try HTTPConnection(port: server.port).exchange("GET", "/after", fields: Self.token)
                .head["X-Echo-Target"] == "/after")
        #expect(server.violations.allSatisfy { $0 == "a response to the unknown id 28672" })
        #expect(client.process.exit == nil)
    }

    @Test func anOriginThatIsDownIsABadGateway() throws {
        let server = try OldTunnelServer()
        let client = try Self.client(server, to: "http://127.0.0.1:1")
        try server.waitForClients(1)
        let answer = try HTTPConnection(port: server.port).exchange("GET", "/", fields: Self.token)
        #expect(answer.status == 502)
        #expect(answer.head["Content-Type"]?.hasPrefix("text/plain") == true)
        #expect(answer.text.contains("127.0.0.1:1"))
        #expect(server.violations == [])
        #expect(client.process.exit == nil)
    }
}
