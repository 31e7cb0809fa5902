import Foundation
import TestSupport

/// An agent that is a tunnel server and the client of tunnels to itself, with an admin listener.
final class WatchedAgent: Sendable {
    static let token = "watched-agent-admin-token"
    static let web = "watched-agent-web-1"
    static let broken = "watched-agent-broken-1"
    static let gone = "watched-agent-gone-1"

    let world: ReloadedAgent
    let origin: ScriptedOrigin
    let port: Int
    let adminPort: Int
    /// The configuration.
    let text: String
    /// Its files are in use.
    private let authority: CertificateAuthority

    /// - Parameter isTroubled: with what is wrong from the start: tunnels that cannot connect or whose origin is not there, a
    ///   certificate that ends, less memory than it has, a collector that is not there, a webhook that is refused, a history
    ///   whose file is somebody else's.
    init(isTroubled: Bool = false) throws {
        origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                // What is slow is asked for.
                if request.target == "/slow" { usleep(1_500_000) }
                try connection.echo(request)
            }
        }
        port = try freePort()
        adminPort = try freePort()
        authority = try CertificateAuthority()
        var lines = [
            "admin: { listen: \"127.0.0.1:\(adminPort)\", token: \(Self.token) }", "shutdown-grace: 1s",
            "servers:", "  - name: public", "    host: 127.0.0.1", "    port: \(port)",
            "    ban: { after: 2, never: [127.0.0.1] }",
        ]
        var tunnels = ["tunnels:", Self.tunnel("web", Self.web, to: origin.url, at: port)]
        if isTroubled {
            let nobody = try freePort()
            let certificate = try authority.issue("server", name: "localhost", days: 1)
            lines += [
                "  - name: secure", "    host: 127.0.0.1", "    port: \(try freePort())",
                "    tls: { certfile: \(certificate.path), keyfile: \(certificate.keyPath) }",
                "load-shedding: { memory: 1MiB, enforce: false }",
                "tracing: { collector: \"http://127.0.0.1:\(nobody)\" }",
                "webhooks:", "  - name: refused", "    url: http://127.0.0.1:\(port)/",
                "    secret: watched-agent-webhook-1", "history: { file: history.db }",
            ]
            tunnels += [
                Self.tunnel("broken", Self.broken, to: "http://127.0.0.1:\(nobody)", at: port),
                Self.tunnel("down", "watched-agent-down-1", to: origin.url, at: nobody),
            ]
        }
        text = (lines + tunnels).joined(separator: "\n") + "\n"
        world = try ReloadedAgent(text, files: ["history.db": "kept by somebody else\n"])
        try world.waitForTunnel()
        if isTroubled { try world.waitForTunnel("broken") }
    }

    private static func tunnel(_ name: String, _ token: String, to origin: String, at port: Int) -> String {
        let url = "ws://127.0.0.1:\(port)"
        return
            "  - { name: \(name), tunnel: \"\(url)\", token: \(token), server: \"\(origin)\", connections: 1 }"
    }

    /// A request through a tunnel.
    func ask(_ token: String, _ target: String = "/") throws -> HTTPResponse {
        let connection = try HTTPConnection(port: port)
        defer { connection.close() }
        return try connection.exchange("GET", target, fields: [("X-Token", token)])
    }

    /// `/metrics`.
    func metrics(_ arguments: String...) throws -> CurlResult {
        let authorization = "Authorization: Bearer \(Self.token)"
        return try curl(arguments + ["-H", authorization, "http://127.0.0.1:\(adminPort)/metrics"])
    }
}
