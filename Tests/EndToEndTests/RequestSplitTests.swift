import Foundation
import TestSupport
import Testing

/// Who kept the caller waiting: an origin that takes its time, a long way to the tunnel client, a tunnel that was not up.
@Suite(.serialized)  // They measure time, and the machine is shared enough already.
struct RequestSplitTests {
    private static let originTime: Duration = .milliseconds(300)
    /// There and back.
    private static let wayTime: Duration = .milliseconds(200)
    /// More than that may come from a machine that has other things to do.
    private static let slack: Duration = .milliseconds(900)

    /// A server whose tunnel client is a long way off, and has an origin that takes its time.
    private final class World {
        let server: AgentProcess
        let port: Int
        private let origin: ScriptedOrigin
        private let line: DelayLine
        private let options: [String]

        init(_ options: [String] = []) throws {
            self.options = options
            origin = try ScriptedOrigin { connection in
                while try connection.readRequest() != nil {
                    // What the test is about.
                    Thread.sleep(forTimeInterval: RequestSplitTests.originTime / .seconds(1))
                    try connection.respond(text: "slowly")
                }
            }
            server = try AgentProcess(
                configuration: Configuration.server(["queue-timeout: 30s"]))
            port = try server.port(ofServer: "public")
            line = try DelayLine(to: port, each: RequestSplitTests.wayTime / 2)
        }

        func startClient() throws -> AgentProcess {
            let joined = server.log.count
            let client = try AgentProcess(
                configuration: Configuration.client(
                    tunnel: "ws://127.0.0.1:\(line.port)", to: origin.url,
                    options: ["connections: 1"] + options))
            try server.waitForSessions(1, from: joined)
            return client
        }

        func ask() throws -> HTTPConnection {
            let caller = try HTTPConnection(port: port, limit: .seconds(60))
            try caller.send("GET", "/", fields: [("X-Token", TunnelPair.token)])
            return caller
        }

        /// What the access log says of a request, in milliseconds.
        func times(_ caller: HTTPConnection) throws -> LogfmtLine {
            let seen = server.log.count
            #expect(try caller.readResponse().text == "slowly")
            return try server.waitForLog("Request", ["status": "200"], from: max(0, seen - 1))
        }
    }

    private func time(_ line: LogfmtLine, _ field: String) throws -> Duration {
        let text = try #require(line[field], "no \(field)")
        return .microseconds(Int64((try #require(Double(text)) * 1000).rounded()))
    }

    @Test(.timeLimit(.minutes(1)), arguments: [[], ["transport: longpoll"]])
    func eachHasItsOwnPart(options: [String]) throws {
        let world = try World(options)
        let client = try world.startClient()
        let line = try world.times(try world.ask())
        let (queue, tunnel) = (try time(line, "queue.ms"), try time(line, "tunnel.ms"))
        let (origin, whole) = (try time(line, "origin.ms"), try time(line, "first-byte.ms"))
        #expect(queue < Self.slack, "\(queue)")
        #expect(tunnel >= Self.wayTime && tunnel < Self.wayTime + Self.slack, "\(tunnel)")
        #expect(origin >= Self.originTime && origin < Self.originTime + Self.slack, "\(origin)")
        let difference = whole - queue - tunnel - origin
        #expect(difference > .milliseconds(-2) && difference < .milliseconds(2), "\(difference)")
        try client.stop()
    }

    @Test(.timeLimit(.minutes(1))) func aTunnelThatIsNotUpIsTheQueues() throws {
        let world = try World()
        // So that the server knows the token.
        try world.startClient().stop()
        try world.server.waitForLog("Session left")
        let caller = try world.ask()
        // What the test is about.
        Thread.sleep(forTimeInterval: 1)
        let client = try world.startClient()
        let line = try world.times(caller)
        let (queue, tunnel) = (try time(line, "queue.ms"), try time(line, "tunnel.ms"))
        let origin = try time(line, "origin.ms")
        #expect(queue >= .seconds(1), "\(queue)")
        #expect(tunnel >= Self.wayTime && tunnel < Self.wayTime + Self.slack, "\(tunnel)")
        #expect(origin >= Self.originTime && origin < Self.originTime + Self.slack, "\(origin)")
        try client.stop()
    }

    /// Protocol v1 has no place for it.
    @Test(.timeLimit(.minutes(1))) func aClientThatCannotTellLeavesThemTogether() throws {
        let world = try World(["protocol: v1"])
        let client = try world.startClient()
        let line = try world.times(try world.ask())
        #expect(line["tunnel.ms"] == nil && line["origin.ms"] == nil)
        #expect(try time(line, "queue.ms") < Self.slack)
        #expect(try time(line, "first-byte.ms") >= Self.wayTime + Self.originTime)
        try client.stop()
    }
}
