import Foundation
import TestSupport
import Testing

/// Ours on one end, the old program on the other: what is slow goes through, and holds up nobody. The messages are larger
/// than what is kept of one in memory, and one connection carries all.
@Suite(.timeLimit(.minutes(2)), .serialized)  // Each moves many megabytes.
struct SlowMessageTests {
    private static let size = 9 << 20
    private static let token = [("X-Token", MixedTunnel.token)]
    private static let ourServer = Ends(server: .ours, client: .old)
    private static let ourClient = Ends(server: .old, client: .ours)
    private static let mixed = [ourServer, ourClient]

    private static let content = {
        var random = SplitMix64(seed: 13)
        let block = random.bytes(65_521)
        var content: [UInt8] = []
        while content.count < size { content += block }
        return Array(content[..<size])
    }()

    /// `/large` answers with many bytes; `/wait` reads its request's body, and answers in two parts, once the gate is open.
    private static func origin(_ gate: Gate = Gate(), begun: Gate = Gate()) throws -> ScriptedOrigin {
        try ScriptedOrigin(limit: .seconds(90)) { connection in
            while let request = try connection.readRequest() {
                switch request.target {
                case "/large":
                    try connection.respond(200, body: content)
                case "/wait" where request.method == "POST":
                    begun.open()
                    try gate.wait(within: .seconds(60))
                    let isSame = try connection.readBody(of: request) == content
                    try connection.respond(text: "\(isSame)")
                case "/wait":
                    try connection.writeHead(200, fields: [("Content-Length", "\(size)")])
                    try connection.socket.write(content[..<(size * 2 / 3)])
                    begun.open()
                    try gate.wait(within: .seconds(60))
                    try connection.socket.write(content[(size * 2 / 3)...])
                default:
                    _ = try connection.readBody(of: request)
                    try connection.respond(text: "small")
                }
            }
        }
    }

    /// One that is ended for what it holds up is so within three seconds: what is answered in these says nothing yet.
    private func expectAnswers(through tunnel: MixedTunnel, for duration: Duration = .seconds(4)) throws {
        let end = ContinuousClock.now + duration
        repeat {
            #expect(try tunnel.exchange("GET", "/small").text == "small")
        } while ContinuousClock.now < end
    }

    @Test func aCallerThatReadsLaterHoldsUpNobodyAndLosesNothing() throws {
        let origin = try Self.origin()
        let tunnel = try MixedTunnel(Self.ourServer, to: origin)
        let slow = try HTTPConnection(port: tunnel.port, limit: .seconds(60), receiveBuffer: 16_384)
        try slow.send("GET", "/large", fields: Self.token)
        #expect(try slow.readHead()["Content-Length"] == "\(Self.size)")
        try expectAnswers(through: tunnel)
        let isSame = try slow.socket.read(Self.size) == Self.content
        #expect(isSame)
        try expectAnswers(through: tunnel, for: .zero)
        #expect(tunnel.violations == [])
    }

    /// Though everything that came waits for it, and nobody else does.
    @Test func aLoneCallerThatReadsSlowlyLosesNothing() throws {
        let origin = try Self.origin()
        let agent = try AgentProcess(configuration: Configuration.server(["wstimeout: 3s"]))
        let port = try agent.port(ofServer: "public")
        var options = OldTunnelClient.Options(token: MixedTunnel.token)
        options.timeout = .seconds(3)
        let client = try OldTunnelClient(port: port, to: origin.port, options)
        try agent.waitForSessions(1)
        let slow = try HTTPConnection(port: port, limit: .seconds(60), receiveBuffer: 16_384)
        try slow.send("GET", "/large", fields: Self.token)
        #expect(try slow.readHead().status == 200)
        var body: [UInt8] = []
        while body.count < Self.size {
            body += try slow.socket.read(min(64 << 10, Self.size - body.count))
            // Four megabytes in a second: what is kept in memory takes longer than a fifth of the timeout.
            Thread.sleep(forTimeInterval: 1.0 / 64)
        }
        let isSame = body == Self.content
        #expect(isSame)
        #expect(client.violations == [] && client.endedCount == 0)
    }

    @Test func anOriginThatReadsLaterHoldsUpNobodyAndLosesNothing() throws {
        let (gate, begun) = (Gate(), Gate())
        defer { gate.open() }
        let origin = try Self.origin(gate, begun: begun)
        let tunnel = try MixedTunnel(Self.ourClient, to: origin)
        let slow = try HTTPConnection(port: tunnel.port, limit: .seconds(60))
        try slow.send("POST", "/wait", fields: Self.token, body: Self.content)
        try begun.wait()
        try expectAnswers(through: tunnel)
        gate.open()
        #expect(try slow.readResponse().text == "true")
        #expect(tunnel.violations == [])
    }

    @Test func anUploadThatStandsStillHoldsUpNobodyAndLosesNothing() throws {
        let gate = Gate()
        gate.open()
        let origin = try Self.origin(gate)
        let tunnel = try MixedTunnel(Self.ourServer, to: origin)
        let slow = try HTTPConnection(port: tunnel.port, limit: .seconds(60))
        try slow.send("POST", "/wait", fields: Self.token + [("Content-Length", "\(Self.size)")])
        try slow.send(Array(Self.content[..<(Self.size * 2 / 3)]))
        try expectAnswers(through: tunnel)
        try slow.send(Array(Self.content[(Self.size * 2 / 3)...]))
        #expect(try slow.readResponse().text == "true")
        #expect(tunnel.violations == [])
    }

    @Test func anAnswerThatStandsStillHoldsUpNobodyAndLosesNothing() throws {
        let (gate, begun) = (Gate(), Gate())
        defer { gate.open() }
        let origin = try Self.origin(gate, begun: begun)
        let tunnel = try MixedTunnel(Self.ourClient, to: origin)
        let slow = try tunnel.ask("GET", "/wait")
        try begun.wait()
        try expectAnswers(through: tunnel)
        gate.open()
        let isSame = try slow.readResponse().body == Self.content
        #expect(isSame)
        #expect(tunnel.violations == [])
    }

    /// Without a folder for files it is as it was: who is in the way is ended, and the log says why.
    @Test func withoutAFolderTheOthersAreServedAndTheLogSaysWhy() throws {
        let origin = try Self.origin()
        let agent = try AgentProcess(
            configuration: Configuration.server(), environment: ["TMPDIR": "/nonexistent"])
        let port = try agent.port(ofServer: "public")
        let client = try OldTunnelClient(
            port: port, to: origin.port, OldTunnelClient.Options(token: MixedTunnel.token))
        try agent.waitForSessions(1)
        let slow = try HTTPConnection(port: port, limit: .seconds(60), receiveBuffer: 16_384)
        try slow.send("GET", "/large", fields: Self.token)
        #expect(try slow.readHead().status == 200)
        #expect(try HTTPConnection(port: port).exchange("GET", "/", fields: Self.token).text == "small")
        let line = try agent.waitForLog("Cannot keep a slow message in a file")
        #expect(line["error.message"]?.contains("No such file") == true)
        #expect(client.violations == [] && client.endedCount == 0)
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] == "1"), arguments: mixed)
    func aKilobyteInASecondGoesThroughBesideOthers(ends: Ends) throws {
        let origin = try ScriptedOrigin(limit: .seconds(90)) { connection in
            while let request = try connection.readRequest() {
                guard request.target == "/trickle" else {
                    try connection.respond(text: "small")
                    continue
                }
                _ = try connection.readBody(of: request)
                try connection.writeHead(200, fields: [("Content-Length", "20480")])
                for _ in 0..<20 {
                    try connection.socket.write([UInt8](repeating: 7, count: 1024))
                    Thread.sleep(forTimeInterval: 1)
                }
            }
        }
        let tunnel = try MixedTunnel(ends, to: origin)
        let slow = try HTTPConnection(port: tunnel.port, limit: .seconds(60))
        try slow.send("POST", "/trickle", fields: Self.token + [("Content-Length", "20480")])
        for _ in 0..<20 {
            try slow.send([UInt8](repeating: 1, count: 1024))
            try expectAnswers(through: tunnel, for: .seconds(1))
        }
        try expectAnswers(through: tunnel, for: .seconds(15))
        #expect(try slow.readResponse().body.count == 20_480)
        #expect(tunnel.violations == [])
    }

    // MARK: Answers that break off

    /// An old server takes an answer without a length that breaks off for whole, so that it must not get one.
    @Test(
        arguments: ["Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n", ""],
        ["", "5\r\nhello\r\n"])
    func anAnswerThatBreaksOffIsABadGateway(framing: String, body: String) throws {
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            guard request.target == "/broken" else { return try connection.respond(text: "small") }
            try connection.socket.write("HTTP/1.1 200 OK\r\n\(framing)\r\n\(body)")
            connection.socket.reset()
        }
        let tunnel = try MixedTunnel(Self.ourClient, to: origin)
        for fields in [[], [("Connection", "close")]] {
            let answer = try tunnel.exchange("GET", "/broken", fields: fields)
            #expect(answer.status == 502)
            #expect(!answer.text.contains("hello"))
        }
        try expectAnswers(through: tunnel, for: .zero)
        #expect(tunnel.violations == [])
    }

    @Test func aConnectionThatEndsWithoutAHeadIsABadGateway() throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            connection.socket.reset()
        }
        let tunnel = try MixedTunnel(Self.ourClient, to: origin)
        #expect(try tunnel.exchange("POST", "/", body: [1]).status == 502)
        #expect(tunnel.violations == [])
    }
}
