import TestSupport
import Testing

/// TLS of our own inside what carries a tunnel: a proxy that decrypts the rest sees neither token nor requests.
@Suite struct InnerTLSTests {
    static let password = "inner-password-of-the-token"

    struct Way: CustomTestStringConvertible, Sendable {
        let transport: String
        /// How the client knows the server.
        let isByPin: Bool
        var testDescription: String { "\(transport), by \(isByPin ? "pin" : "certificate")" }
    }

    private static func pin(_ path: String) throws -> String {
        let program = try wstunnel(["pin", path])
        guard try program.waitForExit() == .code(0) else { throw TestFailure(program.standardError.text) }
        return String(program.standardOutput.text.prefix { $0 != " " })
    }

    /// A server with a certificate of its own for the inside, behind a proxy that sees all there is to see outside.
    private final class World: Sendable {
        let certificate: Certificate
        let server: AgentProcess
        let port: Int
        let proxy: NginxFront

        init() throws {
            certificate = try Certificate(for: "DNS:inside.test")
            server = try AgentProcess(
                configuration: Configuration.server([
                    "inner-tls:", "  certfile: \(certificate.path)", "  keyfile: \(certificate.keyPath)",
                    "passwords: [{ token: \(TunnelPair.token), password: \(InnerTLSTests.password) }]",
                ]))
            port = try server.port(ofServer: "public")
            let port = port
            proxy = try NginxFront { own in
                """
                log_format seen '"$request" $http_origin $http_authorization $request_body';
                server {
                    listen 127.0.0.1:\(own);
                    access_log /dev/stderr seen;
                    client_body_buffer_size 2m;
                    location / {
                        proxy_pass http://127.0.0.1:\(port);
                        proxy_http_version 1.1;
                        proxy_set_header Upgrade $http_upgrade;
                        proxy_set_header Connection $http_connection;
                    }
                }
                """
            }
        }

        func client(_ transport: String, _ innerTLS: [String]) throws -> AgentProcess {
            try AgentProcess(
                configuration: Configuration.client(
                    tunnel: "ws://127.0.0.1:\(proxy.port)", to: "builtin:echo",
                    options: [
                        "password: \(InnerTLSTests.password)", "transport: \(transport)", "connections: 1",
                        "inner-tls:",
                    ] + innerTLS.map { "  \($0)" }))
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: ["websocket", "longpoll"].flatMap { transport in
            [Way(transport: transport, isByPin: true), Way(transport: transport, isByPin: false)]
        })
    func theProxySeesNothing(way: Way) throws {
        let world = try World()
        let innerTLS =
            way.isByPin
            ? ["pin-sha256: '\(try Self.pin(world.certificate.path))'"]
            : ["certfile: \(world.certificate.path)", "server-name: inside.test"]
        let client = try world.client(way.transport, innerTLS)
        try world.server.waitForSessions(1)
        let body = [UInt8](repeating: UInt8(ascii: "a"), count: 300_000)
        let answer = try HTTPConnection(port: world.port).exchange(
            "POST", "/", fields: [("X-Token", TunnelPair.token)], body: body)
        #expect(answer.status == 200 && answer.body == body)
        #expect(try client.stop() == .code(0))
        let seen = world.proxy.log
        #expect(seen.contains("/_tunnel"), "the proxy saw the tunnel: \(seen.prefix(500))")
        for secret in [TunnelPair.token, Self.password, "aaaaaaaaaaaaaaaa"] {
            #expect(!seen.contains(secret), "the proxy saw \(secret)")
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["websocket", "longpoll"])
    func anotherKeyInsideIsRefused(transport: String) throws {
        let world = try World()
        let client = try world.client(
            transport, ["pin-sha256: 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg='"])
        let words = try client.waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(
            words.hasPrefix("inside the tunnel (inner-tls): the server's key has none of the pins"),
            "\(words)")
        let stranger = try Certificate(for: "DNS:inside.test")
        let other = try world.client(
            transport, ["certfile: \(stranger.path)", "server-name: inside.test"])
        let reason = try other.waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(reason.hasPrefix("inside the tunnel (inner-tls): "), "\(reason)")
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["websocket", "longpoll"])
    func aServerWithoutItSaysSo(transport: String) throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(try server.port(ofServer: "public"))", to: "builtin:echo",
                options: [
                    "transport: \(transport)", "inner-tls:",
                    "  pin-sha256: 'n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg='",
                ]))
        let words = try client.waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(words.contains("speaks no TLS inside tunnels: it needs tls or inner-tls"), "\(words)")
    }

    @Test(.timeLimit(.minutes(1))) func insideThePasswordStillCounts() throws {
        let world = try World()
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(world.proxy.port)", to: "builtin:echo",
                options: [
                    "password: another-one", "transport: longpoll",
                    "inner-tls: { pin-sha256: '\(try Self.pin(world.certificate.path))' }",
                ]))
        let words = try client.waitForLog("Cannot connect")["error.message"] ?? ""
        #expect(words.contains("401"), "\(words)")
        #expect(try world.server.waitForLog("Tunnel refused")["error.code"] == "unauthorized")
    }

    @Test(.timeLimit(.minutes(1))) func insideTheConnectionNothingElseIsServed() throws {
        let world = try World()
        // A session without a request in it is a caller's connection that says nothing.
        let opened = try curl([
            "-sS", "-i", "-X", "POST", "-H", "X-Tunnel-Inner: tls", "--data-binary", "x",
            "http://127.0.0.1:\(world.port)/_tunnel/poll",
        ])
        #expect(opened.status == 200 && opened.text.contains("X-Tunnel-Session: "), "\(opened.text)")
    }
}
