import Foundation
import TestSupport
import Testing

/// Tunnel servers that attack their clients: the client stays small, comes back with patience, and its other tunnels
/// go on.
///
/// Serialized: these tests block their threads, so that beside each other they would use up each other's time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostileServerTests {
    /// An agent with a tunnel to the hostile server beside the good one.
    private static func agent(_ server: ScriptedOrigin, origin: String = "builtin:echo") throws -> (
        agent: AgentProcess, port: Int
    ) {
        let port = try freePort()
        let agent = try AgentProcess(
            configuration: """
                log: { level: debug }
                servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: "\(BesiegedAgent.token)" }
                  - { name: bad, tunnel: "ws://127.0.0.1:\(server.port)", server: "\(origin)", token: "hostile-server-token", \
                connections: 1 }
                """)
        try agent.waitForSession(ofTunnel: "web")
        return (agent, port)
    }

    /// A server that shakes hands and sends these bytes, and then listens for a while.
    private static func server(
        sending bytes: [UInt8], times: Int = 1, listening: Duration = .seconds(5)
    ) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.acceptWebSocket(request, fields: [("Sec-WebSocket-Protocol", "wstunnel.v2")])
            for _ in 0..<times { try connection.socket.write(bytes) }
            _ = connection.waitForEnd(within: listening)
        }
    }

    struct Nonsense: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let bytes: [UInt8]
    }

    private static func frames(_ name: String, _ frames: [UInt8]...) -> Nonsense {
        Nonsense(
            testDescription: name,
            bytes: webSocketFrame(opcode: 2, Array(frames.joined()), isMasked: false))
    }

    private static let settings = Mux.settings()
    private static let request = Mux.request(1, Mux.plainRequest)

    static let nonsense: [Nonsense] = [
        Nonsense(testDescription: "garbage", bytes: [UInt8](repeating: 0xff, count: 1000)),
        Nonsense(
            testDescription: "a masked frame", bytes: webSocketFrame(opcode: 2, settings, isMasked: true)),
        Nonsense(testDescription: "text", bytes: webSocketFrame(opcode: 1, [65], isMasked: false)),
        Nonsense(testDescription: "a message of 2 MiB", bytes: [0x82, 127] + Mux.integer(UInt64(2 << 20))),
        Nonsense(testDescription: "a close", bytes: webSocketFrame(opcode: 8, [3, 0xe9], isMasked: false)),
        Nonsense(
            testDescription: "a malformed close", bytes: webSocketFrame(opcode: 8, [3], isMasked: false)),
        frames("a request before the settings", request),
        frames("settings of another version", Mux.settings(version: 1)),
        frames("settings twice", settings, settings),
        frames("a response", settings, Mux.frame(.response, stream: 1, "HTTP/1.1 200 OK\r\n\r\n")),
        frames("a stream twice", settings, request, request),
        frames("a stream that goes back", settings, Mux.request(5, Mux.plainRequest), request),
        frames("stream 0", settings, Mux.request(0, Mux.plainRequest)),
        frames("data behind the end", settings, request, Mux.frame(.data, stream: 1, [1])),
        frames("data for no stream", settings, Mux.frame(.data, stream: 9, [1])),
        frames("a request of two bytes", settings, Mux.frame(.request, stream: 1, [1, 2])),
        frames("a head that is too long", settings, Mux.request(1, String(repeating: "x", count: 100_000))),
        frames(
            "credit without end", settings, Mux.request(1, Mux.plainRequest, isLast: false),
            Mux.frame(.window, stream: 1, [0xff, 0xff, 0xff, 0xff]),
            Mux.frame(.window, stream: 1, [0xff, 0xff, 0xff, 0xff])),
        frames(
            "data beyond the window", settings,
            Mux.request(1, "POST / HTTP/1.1\r\nHost: x\r\n\r\n", isLast: false),
            Mux.frame(.data, stream: 1, [UInt8](repeating: 1, count: 400_000)),
            Mux.frame(.data, stream: 1, [UInt8](repeating: 1, count: 400_000))),
    ]

    @Test(arguments: nonsense) func nonsenseEndsTheSessionAndTheClientComesBack(_ example: Nonsense) throws {
        let server = try Self.server(sending: example.bytes)
        let (agent, port) = try Self.agent(server)
        let bystander = try Bystander(port: port)
        try server.waitForConnections(2)
        let line = try agent.waitForLog("Session lost", ["tunnel.name": "bad"])
        let expected = example.testDescription == "a close" ? "closed-by-peer" : "peer-misbehaved"
        #expect(line["error.code"] == expected, "\(line["close.reason"] ?? "")")
        try bystander.finish()
    }

    struct Flood: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let payloads: [[UInt8]]
        var times = 1
    }

    private static let malformed = "GET / HTTP/1.1\r\nno colon\r\n\r\n"

    static let floods: [Flood] = [
        Flood(testDescription: "10,000 requests at once", payloads: requests(10_000, reset: false)),
        Flood(
            testDescription: "100,000 requests that are reset at once",
            payloads: requests(100_000, reset: true)),
        Flood(
            testDescription: "100,000 malformed requests",
            payloads: requests(100_000, reset: false, head: malformed)),
        Flood(
            testDescription: "pings",
            payloads: [
                Array(repeatElement(Mux.frame(.ping, [0, 0, 0, 0, 0, 0, 0, 1]), count: 4000).joined())
            ], times: 100),
        Flood(
            testDescription: "goAways",
            payloads: [Array(repeatElement(Mux.frame(.goAway, [0, 0, 0, 0]), count: 5000).joined())],
            times: 40),
    ]

    /// The bytes of messages that open streams.
    private static func requests(_ count: Int, reset: Bool, head: String = Mux.plainRequest) -> [[UInt8]] {
        stride(from: 1, through: count, by: 1000).map { first in
            (first..<first + 1000).flatMap { stream in
                let request = Mux.request(UInt32(stream), head)
                return reset ? request + Mux.frame(.reset, stream: UInt32(stream), [0, 0, 0, 1]) : request
            }
        }
    }

    @Test(arguments: floods) func floodsFillNoMemoryOfTheClient(_ flood: Flood) throws {
        let accepted = WaitableCounter()
        let origin = try ScriptedOrigin { connection in
            accepted.add(1)
            while let request = try connection.readRequest() { try connection.echo(request) }
        }
        let messages = flood.payloads.map { webSocketFrame(opcode: 2, $0, isMasked: false) }
        let start = webSocketFrame(opcode: 2, Self.settings, isMasked: false)
        let flooded = WaitableCounter()
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.acceptWebSocket(request, fields: [("Sec-WebSocket-Protocol", "wstunnel.v2")])
            try connection.socket.write(start)
            // Only the first session is flooded; nothing of what the client says is read.
            guard connection.number == 1 else {
                _ = connection.waitForEnd()
                return
            }
            defer { flooded.add(1) }
            connection.socket.set(limit: .seconds(5))
            for _ in 0..<flood.times { for message in messages { try connection.socket.write(message) } }
        }
        let (agent, port) = try Self.agent(server, origin: origin.url)
        let bystander = try Bystander(port: port)
        try flooded.wait(for: 1, within: .seconds(60), what: "the flood")
        try server.waitForConnections(2, within: .seconds(60))
        try bystander.finish(slowest: .seconds(10))
        #expect(try agent.process.peakResidentBytes() < 150 << 20)
        #expect(agent.process.exit == nil)
        // The origin is not flooded in turn: its connections are bounded.
        #expect(accepted.value < 5000)
        #expect(try agent.stop() == .code(0))
    }

    @Test func comingBackTakesLongerEachTime() throws {
        let server = try Self.server(sending: [0xff, 0xff], listening: .milliseconds(100))
        let (agent, _) = try Self.agent(server)
        try server.waitForConnections(8, within: .seconds(60))
        let before = server.connectionCount
        // By now the ceiling of a wait is 32 s, its mean half of that: in 2 s hardly any should come.
        Thread.sleep(forTimeInterval: 2)
        #expect(server.connectionCount - before <= 3)
        #expect(try agent.process.processorShare(over: 1) < 0.2)
    }

    /// A server that says it is leaving, and stays.
    @Test func sessionsThatAreReleasedAndNeverEndDoNotPileUpQuickly() throws {
        let hello = webSocketFrame(
            opcode: 2, Self.settings + Mux.frame(.goAway, [0, 0, 0, 0]), isMasked: false)
        let server = try Self.server(sending: hello, listening: .seconds(60))
        let (agent, port) = try Self.agent(server)
        try server.waitForConnections(5, within: .seconds(60))
        #expect(try HTTPConnection(port: port).exchange("GET", "/_health_check").status == 200)
        let start = ContinuousClock.now
        #expect(try agent.stop() == .code(0))
        #expect(ContinuousClock.now - start < .seconds(40))
    }
}
