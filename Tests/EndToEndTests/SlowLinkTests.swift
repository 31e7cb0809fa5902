import Foundation
import TestSupport
import Testing

/// Tunnels over lines that are slow from the client to the server, with the shortest timeouts: what is on its way is no
/// silence, and little of it is in the way of what comes later.
@Suite(.serialized)  // They measure time, and the machine is shared enough already.
struct SlowLinkTests {
    private static let token = [("X-Token", TunnelPair.token)]

    /// A server, and a client with one session to it over a line of so many bytes a second.
    private final class World {
        let origin: ScriptedOrigin
        let server: AgentProcess
        let client: AgentProcess
        let port: Int
        private let link: SlowLink

        init(bytesPerSecond: Int) throws {
            origin = try ScriptedOrigin(limit: .seconds(60)) { connection in
                while let request = try connection.readRequest() {
                    switch request.target {
                    case "/small": try connection.respond(text: "small")
                    case "/endless":
                        try connection.writeHead(200, fields: [("Content-Length", "\(1 << 40)")])
                        while true { try connection.socket.write([UInt8](repeating: 0x61, count: 1 << 14)) }
                    case let length:
                        let count = Int(length.dropFirst()) ?? 0
                        try connection.respond(body: (0..<count).map { UInt8(truncatingIfNeeded: $0) })
                    }
                }
            }
            server = try AgentProcess(
                configuration: Configuration.server(["wstimeout: 3s", "httptimeout: 3s"]))
            port = try server.port(ofServer: "public")
            link = try SlowLink(to: port, bytesPerSecond: bytesPerSecond)
            client = try AgentProcess(
                configuration: Configuration.client(
                    tunnel: "ws://127.0.0.1:\(link.port)", to: origin.url,
                    options: ["connections: 1", "timeout: 3s"]))
            try server.waitForSessions(1)
        }

        func ask(_ target: String) throws -> HTTPConnection {
            let caller = try HTTPConnection(port: port, limit: .seconds(60))
            try caller.send("GET", target, fields: SlowLinkTests.token)
            return caller
        }

        /// Sessions that ended.
        var lost: Int { server.log.filter { $0.contains(#"message="Session left""#) }.count }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [(7_000, 40_000), (32_000, 200_000)])
    func aDownloadThatTakesLongerThanAllTimeoutsComesWhole(bytesPerSecond: Int, length: Int) throws {
        let world = try World(bytesPerSecond: bytesPerSecond)
        let answer = try world.ask("/\(length)").readResponse()
        #expect(answer.status == 200)
        let isWhole = answer.body == (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        #expect(isWhole)
        #expect(world.lost == 0)
    }

    @Test(.timeLimit(.minutes(1))) func aSmallAnswerBesideDownloadsComesSoon() throws {
        let world = try World(bytesPerSecond: 32_000)
        let downloads = try (0..<4).map { _ in try world.ask("/endless") }
        for download in downloads {
            #expect(try download.readHead().status == 200)
            _ = try download.socket.read(4 << 10)
        }
        var text = ""
        let time = try ContinuousClock().measure {
            text = try world.ask("/small").readResponse().text
        }
        #expect(text == "small")
        // 400 KB before it took twelve seconds.
        #expect(time < .seconds(6), "\(time)")
        for download in downloads { _ = try download.socket.read(1 << 10) }
        #expect(world.lost == 0)
    }
}
