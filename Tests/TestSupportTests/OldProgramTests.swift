import TestSupport
import Testing

/// The old peers against each other: what holds there holds of the facts of protocol v1.
@Suite(.timeLimit(.minutes(1))) struct OldProgramTests {
    private static let token = "old-program-token-01"

    private static func echo(_ request: OldRequest, _ answer: OldAnswer) throws {
        try answer.respond(fields: [("X-Target", request.target)], body: request.body)
    }

    private static func options(_ change: (inout OldTunnelClient.Options) -> Void = { _ in })
        -> OldTunnelClient.Options
    {
        var options = OldTunnelClient.Options(token: token)
        change(&options)
        return options
    }

    private static func ask(
        _ server: OldTunnelServer, _ method: String, _ target: String, fields: [(String, String)] = [],
        body: [UInt8]? = nil
    ) throws -> HTTPResponse {
        let caller = try HTTPConnection(port: server.port)
        return try caller.exchange(method, target, fields: [("X-Token", token)] + fields, body: body)
    }

    static let fragmentations: [OldFragmentation] = [
        .asWritten, .bytes, .atMost(3), .insideTheID, .withEmptyFrames, .withPings, .random(seed: 1),
        .random(seed: 2),
    ]

    @Test(arguments: fragmentations)
    func requestsAndAnswersCrossHoweverTheyAreCut(fragmentation: OldFragmentation) throws {
        var options = OldTunnelServer.Options()
        options.fragmentation = fragmentation
        let server = try OldTunnelServer(options)
        let client = try OldTunnelClient(
            port: server.port, Self.options { $0.fragmentation = fragmentation }, Self.echo)
        let body = SplitMix64(seed: 3).sequence(5000)
        for method in ["GET", "POST", "HEAD"] {
            let answer = try Self.ask(server, method, "/a?b=c", body: method == "POST" ? body : nil)
            #expect(answer.status == 200)
            #expect(answer.head["X-Target"] == "/a?b=c")
            #expect(answer.body == (method == "POST" ? body : []))
        }
        #expect(client.ids == [1, 2, 3])
        // The token stays in what the old server hands on: so it is, and so the old client finds it.
        #expect(client.violations.allSatisfy { $0 == "X-Token reached the client" }, "\(client.violations)")
        #expect(server.violations == [])
    }

    static let styles: [OldAnswer.Style] =
        [.plain, .chunked, .untilEnd].flatMap { framing in
            OldAnswer.Style.Fields.allCases.map { .init(framing: framing, fields: $0) }
        }
        + ["", " ", " Fine: by (me)", " grün", " 200 200"].map { .init(reason: $0) }
        + [.init(version: "HTTP/1.0")]

    @Test(arguments: styles) func answersOfEveryStyleAreUnderstood(style: OldAnswer.Style) throws {
        let server = try OldTunnelServer()
        let client = try OldTunnelClient(
            port: server.port, Self.options { $0.style = style }
        ) { request, answer in
            if request.target == "/pieces" {
                try answer.begin(fields: [("X-Odd", "yes")])
                for _ in 0..<10 { try answer.write(Array("0123456789".utf8)) }
                try answer.end()
            } else {
                try answer.respond(fields: [("X-Odd", "yes")], text: "whole")
            }
        }
        for (target, text) in [
            ("/whole", "whole"), ("/pieces", String(repeating: "0123456789", count: 10)),
        ] {
            let answer = try Self.ask(server, "GET", target)
            #expect(answer.head["X-Odd"] == "yes")
            #expect(answer.text == text)
        }
        #expect(server.violations == [])
        #expect(client.endedCount == 0)
    }

    @Test func answersInAnyOrderFindTheirCallers() throws {
        let server = try OldTunnelServer()
        let gates = (0..<5).map { _ in Gate() }
        let client = try OldTunnelClient(port: server.port, Self.options()) { request, answer in
            let number = Int(request.target.dropFirst()) ?? 0
            if number < 4 { try gates[number + 1].wait() }
            try answer.respond(text: request.target)
            gates[number].open()
        }
        let callers = try (0..<5).map { number in
            let caller = try HTTPConnection(port: server.port)
            try caller.send("GET", "/\(number)", fields: [("X-Token", Self.token)])
            try client.waitForRequests(number + 1)
            return caller
        }
        for (number, caller) in callers.enumerated() {
            #expect(try caller.readResponse().text == "/\(number)")
        }
        #expect(server.violations == [])
    }

    @Test func idsBeginAgainAt0() throws {
        var options = OldTunnelServer.Options()
        options.firstID = 31_998
        let server = try OldTunnelServer(options)
        let client = try OldTunnelClient(port: server.port, Self.options(), Self.echo)
        for _ in 0..<4 { #expect(try Self.ask(server, "GET", "/").status == 200) }
        #expect(client.ids == [31_998, 31_999, 0, 1])
    }

    @Test func whatIsWrongIsFoundByTheServer() throws {
        let server = try OldTunnelServer()
        let noises: [(answer: String, violation: String)] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", "1 bytes beyond the end of the body"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "is cut short"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nab", "chunked wrongly"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "is cut short"),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "the field of one hop Connection"),
            ("HTTP/1.1 200 OK\r\nA B: c\r\n\r\n", "a field's name"),
            ("HTTP/1.1 101 Up\r\n\r\n", "no status line of a final response"),
            ("ICY 200 OK\r\n\r\n", "no status line"),
            ("HTTP/1.1 200 OK\nA: b\n\n", "without a whole head"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "beside"),
        ]
        let client = try OldTunnelClient(port: server.port, Self.options()) { request, answer in
            let number = Int(request.target.dropFirst()) ?? 0
            try answer.send(Array(noises[number].answer.utf8))
        }
        for (number, noise) in noises.enumerated() {
            let before = server.violations.count
            _ = try? Self.ask(server, "GET", "/\(number)")
            let new = server.violations.dropFirst(before)
            #expect(new.contains { $0.contains(noise.violation) }, "\(noise.answer): \(new)")
        }
        try client.sendRaw(.binary(Array("zzzz".utf8)))
        try client.sendRaw(.binary(Array("00FF".utf8)))
        try client.sendRaw(.binary(Array("7000HTTP".utf8)))
        try client.sendRaw(.binary(Array("01".utf8)))
        try client.sendRaw(.text("hello"))
        try client.waitForEnd()
        try server.waitForLosses(1)
        for text in ["no id: zzzz", "no id: 00FF", "unknown id 28672", "of 2 bytes", "a text message"] {
            #expect(server.violations.contains { $0.contains(text) }, "\(text): \(server.violations)")
        }
    }

    @Test func unknownAndRepeatedAnswersAreFoundAndDropped() throws {
        let server = try OldTunnelServer()
        let client = try OldTunnelClient(
            port: server.port,
            Self.options {
                $0.answersUnknownIDs = true
                $0.answersTwice = true
            }, Self.echo)
        #expect(try Self.ask(server, "POST", "/", body: [1, 2]).body == [1, 2])
        #expect(try Self.ask(server, "POST", "/", body: [3]).body == [3])
        #expect(server.violations.contains("a response to the unknown id 31999"))
        #expect(server.violations.contains("a second response to 1"))
        #expect(client.endedCount == 0)
    }

    @Test func whatIsWrongIsFoundByTheClient() throws {
        let requests: [(text: String, violation: String)] = [
            ("000gGET / HTTP/1.1\r\nHost: a\r\n\r\n", "no id"),
            ("7d00GET / HTTP/1.1\r\nHost: a\r\n\r\n", "the id 32000"),
            ("0001GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "origin form"),
            ("0002GET / HTTP/1.0\r\nHost: a\r\n\r\n", "no request line"),
            ("0003GET / HTTP/1.1\r\n\r\n", "Host: []"),
            ("0004GET / HTTP/1.1\r\nHost: a\r\nX-Token: b\r\n\r\n", "X-Token"),
            ("0005GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n", "one hop TE"),
            ("0006POST / HTTP/1.1\r\nHost: a\r\n\r\nbody", "4 bytes beyond"),
            ("0007POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nbody", "is cut"),
            ("0008POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nbody", "Content-Length: +4"),
            (
                "0009POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
                "chunked wrongly"
            ),
        ]
        let origin = try ScriptedOrigin { connection in
            let request = try #require(try connection.readRequest())
            try connection.acceptWebSocket(request)
            for (text, _) in requests {
                try connection.sendWebSocket(.binary(Array(text.utf8)))
            }
            try connection.sendWebSocket(.text("hello"))
            _ = connection.waitForEnd()
        }
        let client = try OldTunnelClient(port: origin.port, Self.options(), Self.echo)
        try client.waitForEnd()
        for text in requests.map(\.violation) + ["a text message"] {
            #expect(client.violations.contains { $0.contains(text) }, "\(text): \(client.violations)")
        }
    }

    @Test func aClientWithPasswordOrWithoutIsLetInOrNot() throws {
        var options = OldTunnelServer.Options()
        options.passwords = [Self.token: "secret"]
        options.userinfo = "user:pass"
        let server = try OldTunnelServer(options)
        func refusal(_ change: (inout OldTunnelClient.Options) -> Void) throws -> HTTPResponse? {
            do {
                let client = try OldTunnelClient(port: server.port, Self.options(change), Self.echo)
                try client.close()
                return nil
            } catch let refusal as OldRefusal {
                return refusal.response
            }
        }
        #expect(try refusal { ($0.password, $0.userinfo) = ("secret", "user:pass") } == nil)
        #expect(server.violations == [])
        #expect(try refusal { $0.password = "wrong" }?.status == 401)
        #expect(try refusal { _ in }?.status == 401)
        #expect(try refusal { $0.authorization = "Basic !" }?.status == 401)
        #expect(try refusal { $0.token = "short" }?.status == 400)
        let nameless = try refusal { $0.token = nil }
        #expect(nameless?.status == 400)
        #expect(nameless?.text == "Origin header with rendez-vous token required\n")
    }

    @Test func oneClientMoreThanAllowedIsRefused() throws {
        var options = OldTunnelServer.Options()
        options.maxClientsPerToken = 1
        let server = try OldTunnelServer(options)
        let first = try OldTunnelClient(port: server.port, Self.options(), Self.echo)
        #expect(throws: OldRefusal.self) {
            try OldTunnelClient(port: server.port, Self.options(), Self.echo)
        }
        try first.close()
        try server.waitForLosses(1)
        _ = try OldTunnelClient(port: server.port, Self.options(), Self.echo)
    }

    @Test func requestsWaitForAClientThatReturns() throws {
        var options = OldTunnelServer.Options()
        options.maxRequestsPerTunnel = 2
        let server = try OldTunnelServer(options)
        #expect(try Self.ask(server, "GET", "/").status == 404)
        try OldTunnelClient(port: server.port, Self.options(), Self.echo).close()
        try server.waitForLosses(1)
        let callers = try (0..<2).map { number in
            let caller = try HTTPConnection(port: server.port)
            try caller.send("GET", "/_token/\(Self.token)/\(number)")
            return caller
        }
        try server.waitForArrivals(2)
        #expect(try Self.ask(server, "GET", "/").status == 504)
        let client = try OldTunnelClient(port: server.port, Self.options(), Self.echo)
        for (number, caller) in callers.enumerated() {
            #expect(try caller.readResponse().head["X-Target"] == "/\(number)")
        }
        #expect(client.violations == [])
    }

    @Test func aClientThatDoesNotPingIsClosedAndOneThatHearsNoPongCloses() throws {
        var options = OldTunnelServer.Options()
        options.wsTimeout = .milliseconds(300)
        let server = try OldTunnelServer(options)
        let silent = try OldTunnelClient(
            port: server.port, Self.options { $0.sendsPings = false }, Self.echo)
        try silent.waitForEnd(within: .seconds(5))
        #expect(silent.violations == [])

        options = OldTunnelServer.Options()
        options.answersPings = false
        let deaf = try OldTunnelServer(options)
        let client = try OldTunnelClient(
            port: deaf.port, Self.options { $0.timeout = .milliseconds(300) }, Self.echo)
        try deaf.waitForPings(3)
        try client.waitForEnd(within: .seconds(5))
        #expect(client.violations == ["no pong for 0.3 seconds"])
    }

    @Test func manyRequestsAtOnceAndLargeBodiesCrossSeveralConnections() async throws {
        var options = OldTunnelServer.Options()
        options.maxRequestsPerTunnel = 100
        let server = try OldTunnelServer(options)
        let origin = try ScriptedOrigin.echo()
        let client = try OldTunnelClient(
            port: server.port, to: origin.port, Self.options { $0.connections = 3 })
        try await withThrowingTaskGroup { group in
            for number in 0..<100 {
                group.addTask {
                    try await onThread {
                        let answer = try Self.ask(server, "POST", "/", body: [UInt8(number)])
                        #expect(answer.body == [UInt8(number)], "\(answer.head)")
                    }
                }
            }
            try await group.waitForAll()
        }
        let body = SplitMix64(seed: 4).sequence(10 << 20)
        let isSame = try Self.ask(server, "POST", "/", body: body).body == body
        #expect(isSame)
        #expect(client.ids.count == 101)
        #expect(Set(client.ids) == Set(1...101))
        #expect(server.violations == [])
    }

    @Test func anAnswerThatBreaksOffNeverLooksWhole() throws {
        let server = try OldTunnelServer()
        let client = try OldTunnelClient(port: server.port, Self.options()) { _, answer in
            try answer.begin()
            try answer.write([1, 2, 3])
            answer.cutConnection()
        }
        #expect(throws: StreamEnd.self) { try Self.ask(server, "GET", "/") }
        try client.waitForEnd()
    }
}

extension SplitMix64 {
    fileprivate func sequence(_ count: Int) -> [UInt8] {
        var copy = self
        return copy.bytes(count)
    }
}
