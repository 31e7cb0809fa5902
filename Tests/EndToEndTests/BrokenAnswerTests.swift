import Foundation
import TestSupport
import Testing

/// Answers that break off: what came reaches its caller, then an end that shows that something is missing. A reset that
/// overtakes what came would make browsers and curl send the request again.
///
/// Serialized: these tests block their threads, so that beside each other they would use up each other's time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct BrokenAnswerTests {
    private static let token = [("X-Token", BesiegedAgent.token)]
    private static let shared = SharedWhileUsed<BrokenOrigin>()

    /// How the origin ends its answer, and after how much of it.
    struct Example: CustomTestStringConvertible, Sendable {
        var framing = "length"
        var version = "1.1"
        var bytes: Int
        var end = "close"

        var testDescription: String { "\(bytes) bytes, \(framing), \(end), to HTTP/\(version)" }
        var target: String { "/\(framing)/\(bytes)/\(end)" }
        /// Only where a close would make the answer look whole.
        var wantsReset: Bool { framing != "length" && version == "1.0" }
    }

    static let examples = [7, 10_000, 300_000].flatMap { bytes in
        [
            Example(bytes: bytes), Example(framing: "chunked", bytes: bytes),
            Example(framing: "chunked", version: "1.0", bytes: bytes), Example(version: "1.0", bytes: bytes),
            Example(framing: "none", bytes: bytes, end: "reset"),
            Example(framing: "none", version: "1.0", bytes: bytes, end: "reset"),
            Example(framing: "chunked", bytes: bytes, end: "nonsense"),
        ]
    }

    @Test(arguments: examples) func whatCameIsThereAndThenAnEndThatShowsTheRest(_ example: Example) throws {
        let world = try Self.shared.value { try BrokenOrigin() }
        let start = world.agent.agent.log.count
        let caller = try HTTPConnection(port: world.agent.port)
        try caller.send(
            "GET \(example.target) HTTP/\(example.version)\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n\r\n"
        )
        let head = try caller.readHead()
        #expect(head.status == 200)
        #expect(head["Date"] != nil)
        var body: [UInt8] = []
        let framing = HTTPConnection.framing(of: head, toMethod: "GET")
        let end = #expect(throws: StreamEnd.self) { try caller.socket.readBody(framing) { body += $0 } }
        // What a reset overtook would be missing here.
        let isSame = body == BrokenOrigin.body(example.bytes)
        #expect(isSame, "\(body.count) bytes")
        #expect(end == (example.wantsReset ? .reset : .closed))
        let line = try world.agent.agent.waitForLog("Request", ["path": example.target], from: start)
        #expect(line["status"] == "200")
        #expect(line["response.bytes"] == "\(example.bytes)")
        #expect(line["outcome"] == "origin-failed")
    }

    @Test func eventsThatWereSentArrive() throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.startEventStream()
            for number in 0..<50 { try connection.sendEvent("event \(number)") }
            try connection.socket.waitUntilDelivered()
            connection.socket.reset()
        }
        let agent = try BesiegedAgent(origin: origin.url)
        let caller = try HTTPConnection(port: agent.port)
        try caller.send("GET", "/", fields: Self.token)
        #expect(try caller.readHead().status == 200)
        var events = ""
        #expect(throws: StreamEnd.closed) {
            while let chunk = try caller.socket.readChunk() {
                events += String(decoding: chunk, as: UTF8.self)
            }
        }
        #expect(events == (0..<50).map { "data: event \($0)\n\n" }.joined())
    }

    /// More than the buffers between hold: its end waits behind it for credit.
    @Test func aCallerThatReadsSlowlyHasAllOfIt() throws {
        let world = try Self.shared.value { try BrokenOrigin() }
        let bytes = 8_000_000
        let caller = try HTTPConnection(port: world.agent.port, receiveBuffer: 4096)
        try caller.send("GET", "/length/\(bytes)/close", fields: Self.token)
        #expect(try caller.readHead().status == 200)
        var body: [UInt8] = []
        #expect(throws: StreamEnd.closed) {
            try caller.socket.readBody(.length(bytes + 1)) { body += $0 }
        }
        let isSame = body == BrokenOrigin.body(bytes)
        #expect(isSame, "\(body.count) bytes")
    }

    @Test(arguments: ["lost", "refused"]) func whatCameBeforeTheTunnelWasLostArrives(_ how: String) throws {
        let agent = try BesiegedAgent()
        let token = uniqueToken()
        let peer = try TunnelPeer(port: agent.port, token: token)
        try agent.agent.waitForLog("Session joined", ["token.hint": "\(token.prefix(8))..."])
        let caller = try HTTPConnection(port: agent.port)
        try caller.send("GET", "/", fields: [("X-Token", token)])
        let stream = try peer.nextRequest()
        let body = BrokenOrigin.body(200_000)
        try peer.send(
            Mux.frame(.response, stream: stream, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"),
            Mux.frame(.data, stream: stream, body))
        if how == "lost" {
            peer.socket.close()
        } else {
            // More than the length it promised.
            try peer.send(
                Mux.frame(.data, flags: Mux.last, stream: stream, [UInt8](repeating: 1, count: 100_001)))
        }
        #expect(try caller.readHead().status == 200)
        var got: [UInt8] = []
        #expect(throws: StreamEnd.closed) { try caller.socket.readBody(.length(300_000)) { got += $0 } }
        // Of what is too much, the part goes on that came before it was known.
        let isSame =
            got.starts(with: body) && got.count < 300_000 && (how == "refused" || got.count == body.count)
        #expect(isSame, "\(got.count) bytes")
    }

    /// Both kinds of request that are under way when the grace is over.
    @Test func whatCameBeforeTheGraceWasOverArrives() throws {
        let taken = WaitableCounter()
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            if request.target == "/half" {
                try connection.writeHead(200, fields: [("Content-Length", "100000")])
                try connection.socket.write(BrokenOrigin.body(50_000))
            }
            taken.add(1)
            _ = connection.waitForEnd(within: .seconds(60))
        }
        let server = try AgentProcess(
            configuration: "shutdown-grace: 1s\n" + Configuration.server())
        let port = try server.port(ofServer: "public")
        let client = try AgentProcess(
            configuration: Configuration.client(tunnel: "ws://127.0.0.1:\(port)", to: origin.url))
        try server.waitForSession(ofTunnel: "web")
        let half = try HTTPConnection(port: port)
        try half.send("GET", "/half", fields: [("X-Token", TunnelPair.token)])
        #expect(try half.readHead().status == 200)
        let silent = try HTTPConnection(port: port)
        try silent.send("POST", "/silent", fields: [("X-Token", TunnelPair.token)], body: [1])
        try taken.wait(for: 2, within: .seconds(20), what: "requests")
        #expect(try server.stop() == .code(0))
        var body: [UInt8] = []
        #expect(throws: StreamEnd.closed) { try half.socket.readBody(.length(100_000)) { body += $0 } }
        let isSame = body == BrokenOrigin.body(50_000)
        #expect(isSame, "\(body.count) bytes")
        // An end without an answer would be a reason to send it again.
        let answer = try silent.readResponse()
        #expect(answer.status == 502)
        #expect(answer.head["Connection"] == "close")
        #expect(client.process.exit == nil)
        for target in ["/half", "/silent"] {
            try server.waitForLog("Request", ["path": target, "outcome": "shutdown"])
        }
    }

    /// The origin fails while the caller still sends: the answer must not be lost to what lies unread.
    @Test func anUploadThatFailsMidwayIsToldSo() throws {
        let origin = try ScriptedOrigin { connection in
            guard try connection.readRequest() != nil else { return }
            _ = try connection.socket.read(100_000)
            connection.socket.reset()
        }
        let agent = try BesiegedAgent(origin: origin.url)
        let result = try curl(
            "-o", "/dev/null", "-H", "X-Token: \(BesiegedAgent.token)", "-H", "Expect:", "-T", "/dev/zero",
            "--limit-rate", "20M", "http://127.0.0.1:\(agent.port)/upload", within: .seconds(20))
        #expect(result.status == 502, "\(result.exitCode): \(result.standardError)")
    }

    /// A kept connection, and a POST on it whose answer breaks off: the origin must see each once.
    @Test func curlNeverSendsABrokenRequestAgain() throws {
        let world = try Self.shared.value { try BrokenOrigin() }
        let before = world.posts.value
        for _ in 0..<40 {
            let url = "http://127.0.0.1:\(world.agent.port)"
            let field = "X-Token: \(BesiegedAgent.token)"
            let curl = try ChildProcess([
                "curl", "-q", "-sS", "--noproxy", "*", "--max-time", "30", "-o", "/dev/null", "-H", field,
                "\(url)/whole", "--next", "-sS", "-o", "/dev/null", "-H", field, "-d", "x=1",
                "\(url)/length/7/close",
            ])
            // What curl says of an answer that is shorter than its length.
            #expect(try curl.waitForExit(within: .seconds(40)) == .code(18), "\(curl.standardError.text)")
        }
        #expect(world.posts.value - before == 40)
    }
}

/// An agent before an origin whose answers break off as their targets say: `/FRAMING/BYTES/END`.
final class BrokenOrigin: Sendable {
    let agent: BesiegedAgent
    /// How many POSTs the origin has seen.
    let posts: WaitableCounter
    private let origin: ScriptedOrigin

    init() throws {
        let posts = WaitableCounter()
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                if request.method == "POST" { posts.add(1) }
                _ = try connection.readBody(of: request)
                let parts = request.target.split(separator: "/")
                guard parts.count == 3, let bytes = Int(parts[1]) else {
                    try connection.respond(text: "whole")
                    continue
                }
                return try Self.breakOff(connection, framing: parts[0], bytes: bytes, end: parts[2])
            }
        }
        self.posts = posts
        self.origin = origin
        agent = try BesiegedAgent(origin: origin.url)
    }

    static func body(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) } }

    private static func breakOff(
        _ connection: OriginConnection, framing: Substring, bytes: Int, end: Substring
    ) throws {
        let body = body(bytes)
        switch framing {
        case "length":
            try connection.writeHead(200, fields: [("Content-Length", String(max(1000, bytes + 1)))])
            try connection.socket.write(body)
        case "chunked":
            try connection.writeHead(200, fields: [("Transfer-Encoding", "chunked")])
            for start in stride(from: 0, to: bytes, by: 5000) {
                try connection.socket.writeChunk(Array(body[start..<min(start + 5000, bytes)]))
            }
        default:
            try connection.writeHead(200, fields: [("Connection", "close")])
            try connection.socket.write(body)
        }
        switch end {
        case "reset":
            // Behind what was sent: a reset that overtakes it is the origin's own fault.
            try connection.socket.waitUntilDelivered()
            connection.socket.reset()
        case "nonsense":
            try connection.socket.write("no chunk size\r\n")
            _ = connection.waitForEnd()
        default: break
        }
    }
}
