import Foundation
import Synchronization
import TestSupport
import Testing

/// What the suites of the second transport have in common.
enum LongPoll {
    private static let environment = ProcessInfo.processInfo.environment
    static let isSlow = environment["WSTUNNEL_SLOW_TESTS"] != nil

    /// The tunnel's `transport`. `WSTUNNEL_TEST_TRANSPORT=websocket` runs the same over WebSockets, where the way lets
    /// them through: what fails then too is no fault of the transport. `none` leaves the key out.
    static let transport = environment["WSTUNNEL_TEST_TRANSPORT"] ?? "longpoll"
    static let isPolled = transport == "longpoll"
    static let options = transport == "none" ? [] : ["transport: \(transport)"]

    /// Of the large bodies.
    static let mebibytes = isSlow ? 300 : 12
    static let minutes = isSlow ? 15 : 2
}

/// A way from a tunnel client to its server.
struct Way: Sendable, CustomTestStringConvertible {
    /// A way that is open.
    struct Opened: Sendable {
        /// The port of 127.0.0.1 that the client dials.
        var port: Int
        /// More lines of the tunnel's entry.
        var options: [String] = []
        /// What stands between, and ends with the value.
        var between: [any Sendable] = []
        /// Whether what stands between did what it is there for.
        var check: @Sendable () throws -> Void = {}
    }

    let testDescription: String
    /// Whether an event has nothing to wait for on it.
    var isClean = true
    /// An event stream is silent for so long on it, once.
    var silence: Duration?
    let open: @Sendable (_ server: Int) throws -> Opened
}

/// A tunnel whose client reaches its server by some way, and origins for all that it has to carry.
final class CarriedTunnel: Sendable {
    let server: AgentProcess
    let client: AgentProcess
    /// Where callers connect.
    let port: Int
    let opened: Way.Opened
    let files: NginxOrigin
    /// Events that have arrived at the caller, over all streams.
    let arrived = WaitableCounter()
    private let origin: ScriptedOrigin
    private let counted = Counted()

    /// Starts both and waits until the server has the client's sessions.
    init(over way: Way, largeMebibytes: Int = 0, connections: Int = 1) throws {
        files = try NginxOrigin(largeMebibytes: largeMebibytes)
        let (arrived, counted) = (arrived, counted)
        origin = try ScriptedOrigin(limit: .seconds(600)) { connection in
            while let request = try connection.readRequest() {
                if request.has("Upgrade", "websocket") {
                    try connection.acceptWebSocket(request)
                    return try connection.echoWebSocket()
                }
                try Self.serve(request, connection, arrived: arrived, counted)
            }
        }
        server = try AgentProcess(configuration: Configuration.server())
        port = try server.port(ofServer: "public")
        opened = try way.open(port)
        client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(opened.port)", to: origin.url,
                options: LongPoll.options + opened.options + [
                    "connections: \(connections)", "regexp: 'http://127[.]0[.]0[.]1:[0-9]+'",
                ]))
        try server.waitForSessions(connections)
    }

    /// How often the origin got which number.
    var counts: [String: Int] { counted.counts.withLock(\.self) }

    private final class Counted: Sendable {
        let counts = Mutex<[String: Int]>([:])
    }

    /// Fields of a request to the scripted origin.
    static let token = [("X-Token", TunnelPair.token)]
    /// Fields of a request to `files`, as curl takes them.
    var filesArguments: [String] { ["-H", "X-Token: \(TunnelPair.token)", "-H", "X-Host: \(files.url)"] }

    private static func serve(
        _ request: MessageHead, _ connection: OriginConnection, arrived: WaitableCounter, _ counted: Counted
    ) throws {
        switch request.target.split(separator: "/").first {
        case "events":
            // Each event is made when the one before it has arrived.
            let start = arrived.value
            try connection.startEventStream()
            for number in 0..<5 {
                try arrived.wait(for: start + number, within: .seconds(60), what: "events at the caller")
                try connection.sendEvent("\(number)")
            }
            try connection.socket.writeLastChunk()
        case "silence":
            try connection.startEventStream()
            try connection.sendEvent("before")
            // What the way has to bear.
            usleep(UInt32(request.target.split(separator: "/")[1]) ?? 0)
            try connection.sendEvent("behind")
            try connection.socket.writeLastChunk()
        case "number":
            let number = String(decoding: try connection.readBody(of: request), as: UTF8.self)
            counted.counts.withLock { $0[number, default: 0] += 1 }
            try connection.respond(text: number)
        case "grpc":
            // Each message comes back as it is, and a status behind them.
            try connection.writeHead(
                200,
                fields: [("Content-Type", "application/grpc"), ("Transfer-Encoding", "chunked")])
            try connection.socket.readBody(connection.framing(of: request)) {
                try connection.socket.writeChunk($0)
            }
            try connection.socket.writeLastChunk(trailers: [("grpc-status", "0")])
        default: try connection.echo(request)
        }
    }
}
