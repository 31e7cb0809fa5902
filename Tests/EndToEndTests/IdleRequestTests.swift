import Foundation
import TestSupport
import Testing

/// Requests that stand still: what they might come to need is not taken from those that move.
@Suite(.serialized)  // It measures speed.
struct IdleRequestTests {
    private static let idleToken = "idle-requests-token-1"

    /// Bytes that a download on a connection of its own brings within a second and a half, once it has got going.
    private static func speed(_ port: Int) throws -> Int {
        let download = try HTTPConnection(port: port)
        defer { download.close() }
        try download.send("GET", "/endless", fields: [("X-Token", TunnelPair.token)])
        #expect(try download.readHead().status == 200)
        func bytes(within span: Duration) throws -> Int {
            let end = ContinuousClock.now + span
            var count = 0
            while ContinuousClock.now < end { count += try download.socket.readSome().count }
            return count
        }
        _ = try bytes(within: .seconds(1))
        return try bytes(within: .milliseconds(1500))
    }

    /// 720 of them took all memory for windows once, and left a download from far away 64 KiB for each round trip.
    @Test(.timeLimit(.minutes(2))) func aDownloadFromFarAwayKeepsItsSpeedBesideThem() throws {
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(200, fields: [("Content-Length", "\(1 << 40)")])
            while true { try connection.socket.write([UInt8](repeating: 0x61, count: 1 << 16)) }
        }
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let path = try LongPath(to: port, delay: .milliseconds(50))
        let far = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(path.port)", to: origin.url, options: ["connections: 1"]))
        let near = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: "builtin:echo", token: Self.idleToken,
                options: ["connections: 1"]))
        try server.waitForSessions(2)
        let before = try Self.speed(port)

        let fields = [("X-Token", Self.idleToken), ("Content-Length", "1000")]
        let idle = try (0..<720).map { _ in
            let caller = try HTTPConnection(port: port)
            try caller.send("POST", "/idle", fields: fields)
            return caller
        }
        let beside = try HTTPConnection(port: port).exchange(
            "GET", "/beside", fields: [("X-Token", Self.idleToken)])
        #expect(beside.status == 200)
        // The machine has other things to do as well: the best of three is what the tunnel can.
        var during = 0
        for _ in 0..<3 where during < before / 2 { during = max(during, try Self.speed(port)) }
        #expect(during >= before / 3, "\(before) bytes before, \(during) beside them")

        for caller in [idle[0], idle[719]] {
            let body = [UInt8](repeating: 0x62, count: 1000)
            try caller.send(body)
            #expect(try caller.readResponse().body == body, "they are all there")
        }
        withExtendedLifetime((far, near, path)) {}
    }
}
