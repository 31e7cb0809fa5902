import Foundation
import TestSupport
import Testing

/// The end of a tunnel client in the middle of its work.
@Suite(.timeLimit(.minutes(1))) struct StoppingClientTests {
    /// A line between tunnel client and server that carries little at a time towards the server.
    private static func thinLine(to port: Int) throws -> ScriptedOrigin {
        try ScriptedOrigin(receiveBuffer: 8192) { connection in
            let server = try StreamSocket(port: port, limit: .seconds(30))
            let back = Background { while true { try connection.socket.write(try server.readSome()) } }
            do {
                while true {
                    try server.write(try connection.socket.readSome(upTo: 16_384))
                    // The pace is the subject; nothing is waited for.
                    usleep(2000)
                }
            } catch StreamEnd.closed {
                server.finishWriting()
                _ = try? back.value()
            }
        }
    }

    @Test func aDownloadUnderWayIsFinishedThroughAThinLine() throws {
        let size = 2 << 20
        let origin = try ScriptedOrigin { connection in
            guard try connection.readRequest() != nil else { return }
            try connection.respond(body: [UInt8](repeating: 7, count: size))
            _ = connection.waitForEnd()
        }
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let line = try Self.thinLine(to: port)
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(line.port)", to: origin.url, options: ["connections: 1"]))
        try client.waitForSession(ofTunnel: "web", at: server)
        let caller = try HTTPConnection(port: port)
        try caller.send("GET", "/", fields: [("X-Token", TunnelPair.token)])
        #expect(try caller.readHead().status == 200)
        _ = try caller.socket.read(1)
        client.process.send(signal: SIGTERM)
        #expect(try caller.socket.read(size - 1).allSatisfy { $0 == 7 })
        #expect(try client.process.waitForExit() == .code(0))
        try server.waitForLog("Request", ["outcome": "ok"])
    }
}
