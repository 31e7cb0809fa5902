import Foundation
import TestSupport
import Testing

/// Our server with an old client: what only the old one's oddities show.
@Suite(.timeLimit(.minutes(1))) struct OldClientTests {
    /// A server of ours with one old client.
    private final class World: Sendable {
        let server: AgentProcess
        let port: Int
        let client: OldTunnelClient
        private let token = [("X-Token", MixedTunnel.token)]

        init(
            serverOptions: [String] = [], _ change: (inout OldTunnelClient.Options) -> Void = { _ in },
            _ handler: @escaping OldTunnelClient.Handler
        ) throws {
            server = try AgentProcess(configuration: Configuration.server(serverOptions))
            port = try server.port(ofServer: "public")
            var options = OldTunnelClient.Options(token: MixedTunnel.token)
            change(&options)
            client = try OldTunnelClient(port: port, options, handler)
            try server.waitForSessions(options.connections)
        }

        func exchange(_ method: String, _ target: String, body: [UInt8]? = nil) throws -> HTTPResponse {
            try HTTPConnection(port: port).exchange(method, target, fields: token, body: body)
        }

        func ask(_ target: String) throws -> HTTPConnection {
            let caller = try HTTPConnection(port: port)
            try caller.send("GET", target, fields: token)
            return caller
        }
    }

    static let fragmentations: [OldFragmentation] =
        [.asWritten, .bytes, .atMost(3), .insideTheID, .withEmptyFrames, .withPings]
        + (1...4).map { .random(seed: $0) }

    @Test(arguments: fragmentations)
    func answersArriveHoweverTheyAreCut(fragmentation: OldFragmentation) throws {
        let body = SplitMix64(seed: 5).sequence(3000)
        let world = try World {
            $0.fragmentation = fragmentation
        } _: { request, answer in
            switch request.target {
            case "/whole": try answer.respond(fields: [("X-Target", request.target)], body: body)
            default:
                try answer.begin(fields: [("X-Target", request.target)])
                for start in stride(from: 0, to: body.count, by: 500) {
                    try answer.write(Array(body[start..<start + 500]))
                }
                try answer.end()
            }
        }
        for target in ["/whole", "/pieces"] {
            let answer = try world.exchange("GET", target)
            #expect(answer.head["X-Target"] == target)
            let isSame = answer.body == body
            #expect(isSame, "\(target): \(answer.body.count) bytes")
        }
        #expect(try world.exchange("HEAD", "/whole").head["Content-Length"] == "3000")
        if fragmentation == .withPings { try world.client.waitForPongs(10) }
        #expect(world.client.ids == [1, 2, 3])
        #expect(world.client.violations == [])
    }

    static let styles: [OldAnswer.Style] =
        [.plain, .chunked, .untilEnd].flatMap { framing in
            OldAnswer.Style.Fields.allCases.map { .init(framing: framing, fields: $0) }
        }
        + ["", " ", " Fine: by (me)", " 200 200", " " + String(repeating: "long ", count: 100)]
        .map { .init(reason: $0) }
        + [.init(version: "HTTP/1.0"), .init(framing: .untilEnd, version: "HTTP/1.0")]

    @Test func answersOfEveryStyleAreUnderstood() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        for (number, style) in Self.styles.enumerated() {
            let token = "\(MixedTunnel.token)-\(number)"
            var options = OldTunnelClient.Options(token: token)
            options.style = style
            let start = server.log.count
            let client = try OldTunnelClient(port: port, options) { request, answer in
                guard request.target == "/pieces" else {
                    return try answer.respond(418, fields: [("X-Odd", "yes")], text: "whole")
                }
                try answer.begin(418, fields: [("X-Odd", "yes")])
                for _ in 0..<3 { try answer.write(Array("piece ".utf8)) }
                try answer.end()
            }
            try server.waitForSessions(1, from: start)
            for (target, text) in [("/whole", "whole"), ("/pieces", "piece piece piece ")] {
                let answer = try HTTPConnection(port: port)
                    .exchange("GET", target, fields: [("X-Token", token)])
                #expect(answer.status == 418, "\(style): \(answer.head)")
                #expect(answer.head["X-Odd"] == "yes", "\(style): \(answer.head)")
                #expect(answer.text == text, "\(style)")
            }
            #expect(client.violations == [])
            #expect(client.endedCount == 0)
        }
    }

    @Test func answersThatNobodyAskedForAreDropped() throws {
        let world = try World {
            $0.answersUnknownIDs = true
            $0.answersTwice = true
            $0.fragmentation = .atMost(10)
        } _: { request, answer in
            try answer.respond(body: request.body)
        }
        for number in 0..<10 {
            let body = Array("number \(number)".utf8)
            #expect(try world.exchange("POST", "/", body: body).body == body)
        }
        #expect(world.client.ids == Array(1...10))
        #expect(world.client.endedCount == 0)
        #expect(world.client.violations == [])
    }

    @Test func answersInAnyOrderFindTheirCallers() throws {
        let gates = (0..<10).map { _ in Gate() }
        let world = try World { request, answer in
            let number = Int(request.target.dropFirst()) ?? 0
            if number < 9 { try gates[number + 1].wait() }
            try answer.respond(text: request.target)
            gates[number].open()
        }
        let callers = try (0..<10).map { number in
            let caller = try world.ask("/\(number)")
            try world.client.waitForRequests(number + 1)
            return caller
        }
        for (number, caller) in callers.enumerated() {
            #expect(try caller.readResponse().text == "/\(number)")
        }
        #expect(world.client.violations == [])
    }

    @Test(arguments: [
        "no HTTP at all", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nno field\r\n\r\n", "",
        "HTTP/1.1 200 OK\r\nContent-Length: 1",
    ])
    func anAnswerThatIsNoHTTPIsSaidSoAndHarmsNobody(text: String) throws {
        let world = try World { request, answer in
            guard request.target == "/odd" else { return try answer.respond(text: "fine") }
            try answer.send(Array(text.utf8))
        }
        #expect(try world.exchange("GET", "/odd").status == 506)
        #expect(try world.exchange("GET", "/even").text == "fine")
        #expect(world.client.endedCount == 0)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nnone\r\n",
    ])
    func anAnswerThatIsCutShortNeverLooksWhole(text: String) throws {
        let world = try World { request, answer in
            guard request.target == "/odd" else { return try answer.respond(text: "fine") }
            try answer.send(Array(text.utf8))
        }
        do {
            let answer = try world.exchange("GET", "/odd")
            #expect(answer.status >= 500)
        } catch is StreamEnd {}
        #expect(try world.exchange("GET", "/even").text == "fine")
        #expect(world.client.endedCount == 0)
    }

    @Test func anyMessageThatIsNotBinaryEndsTheConnection() throws {
        let world = try World { _, answer in try answer.respond() }
        try world.client.sendRaw(.text("hello"))
        try world.client.waitForEnd()
        #expect(world.client.violations == [])
    }

    @Test(arguments: ["", "00", "zzzzHTTP", "-001HTTP/1.1 200 OK\r\n\r\n"])
    func aMessageWithoutAnIDHarmsNobodyElse(text: String) throws {
        let world = try World { _, answer in try answer.respond() }
        let other = try OldTunnelClient(
            port: world.port, .init(token: "another-token-0123456")
        ) { _, answer in
            try answer.respond(text: "fine")
        }
        #expect(
            try HTTPConnection(port: world.port)
                .exchange("GET", "/", fields: [("X-Token", "another-token-0123456")]).text == "fine")
        try world.client.sendRaw(.binary(Array(text.utf8)))
        #expect(
            try HTTPConnection(port: world.port)
                .exchange("GET", "/", fields: [("X-Token", "another-token-0123456")]).text == "fine")
        #expect(other.violations == [])
        #expect(world.server.process.exit == nil)
    }

    @Test func onSeveralConnectionsOneSlowBodyHoldsNobodyUp() throws {
        let finish = Gate()
        let world = try World {
            $0.connections = 2
        } _: { request, answer in
            guard request.target == "/slow" else { return try answer.respond(text: request.target) }
            try answer.begin(fields: [("Content-Type", "text/event-stream")])
            try answer.write(Array("first".utf8))
            try finish.wait(within: .seconds(40))
            try answer.write(Array("last".utf8))
            try answer.end()
        }
        let slow = try world.ask("/slow")
        #expect(try slow.readHead().status == 200)
        #expect(try slow.socket.readChunk() == Array("first".utf8))
        for number in 0..<20 { #expect(try world.exchange("GET", "/\(number)").text == "/\(number)") }
        finish.open()
        #expect(try slow.socket.readChunk() == Array("last".utf8))
        #expect(world.client.ids.sorted() == Array(1...21))
        #expect(world.client.violations == [])
    }

    @Test func whoPingsIsKeptAndWhoDoesNotIsNot() throws {
        let server = try AgentProcess(configuration: Configuration.server(["wstimeout: 3s"]))
        let port = try server.port(ofServer: "public")
        var options = OldTunnelClient.Options(token: MixedTunnel.token)
        options.timeout = .seconds(3)
        let alive = try OldTunnelClient(port: port, options) { _, answer in try answer.respond(text: "here") }
        options = OldTunnelClient.Options(token: MixedTunnel.token + "-silent")
        options.sendsPings = false
        let silent = try OldTunnelClient(port: port, options) { _, answer in try answer.respond() }
        let time = try ContinuousClock().measure { try silent.waitForEnd(within: .seconds(10)) }
        #expect(time > .seconds(2))
        // As many pings more as make it older than the other became.
        try alive.waitForPongs(alive.pongCount + 2)
        #expect(alive.pongCount >= 4)
        let answer = try HTTPConnection(port: port).exchange(
            "GET", "/", fields: [("X-Token", MixedTunnel.token)])
        #expect(answer.text == "here")
        #expect(alive.violations == [])
        #expect(silent.violations == [])
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1"))
    func idsBeginAgainAt0() throws {
        let world = try World { _, answer in try answer.respond() }
        _ = try inThreads(10) { _ in
            let caller = try HTTPConnection(port: world.port)
            for _ in 0..<3210 {
                let answer = try caller.exchange("GET", "/", fields: [("X-Token", MixedTunnel.token)])
                guard answer.status == 200 else { throw TestFailure("\(answer.head)") }
            }
        }
        let ids = world.client.ids
        let isCounted = ids == (1...32_100).map { $0 % 32_000 }
        #expect(isCounted, "\(ids.suffix(200))")
        #expect(world.client.violations == [])
    }
}
