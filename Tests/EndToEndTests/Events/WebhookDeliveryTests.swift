import Foundation
import TestSupport
import Testing

/// Events on their way to a web server, over TLS, checked by somebody else's code.
@Suite(.timeLimit(.minutes(3))) struct WebhookDeliveryTests {
    private static let secret = "webhook-secret-of-the-agent"
    /// What nobody may see.
    private static let secrets = [
        secret, "path-secret", "query-secret", "url-password", "token-secret-of-webhooks",
        "bearer-secret-of-webhooks",
    ]

    /// A web server in Python that checks signatures, and prints a line for each delivery.
    private final class Receiver: Sendable {
        let process: ChildProcess
        let port: Int

        init(_ certificate: CertificateAuthority.Issued) throws {
            process = try ChildProcess([
                "python3", "-c", Self.program, certificate.path, certificate.keyPath, secret,
            ])
            let line = try process.standardOutput.waitForLine(
                containing: "listening on ", within: .seconds(30))
            port = try #require(line.split(separator: " ").last.flatMap { Int($0) })
        }

        @discardableResult func wait(for text: String) throws -> String {
            try process.standardOutput.waitForLine(containing: text, within: .seconds(30))
        }

        private static let program = """
            import hashlib, hmac, http.server, json, ssl, sys, time
            secret = sys.argv[3].encode()
            class Handler(http.server.BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    stamp = self.headers["X-Wstunnel-Timestamp"]
                    wanted = "sha256=" + hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
                    good = hmac.compare_digest(wanted, self.headers["X-Wstunnel-Signature"])
                    good = good and abs(time.time() - int(stamp)) < 300
                    event = json.loads(body)
                    good = good and event["kind"] == self.headers["X-Wstunnel-Event"]
                    good = good and str(event["id"]) == self.headers["X-Wstunnel-Delivery"]
                    print("good" if good else "bad", self.path, event["kind"], event["message"], flush=True)
                    self.send_response(204)
                    self.end_headers()
                def log_message(self, *arguments):
                    pass
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1], sys.argv[2])
            server.socket = context.wrap_socket(server.socket, server_side=True)
            print("listening on", server.server_address[1], flush=True)
            server.serve_forever()
            """
    }

    private static func configuration(_ port: Int, path: String, authority: String, adminPort: Int) -> String
    {
        """
        admin: { listen: "127.0.0.1:\(adminPort)", token: bearer-secret-of-webhooks }
        webhooks:
          - name: pager
            url: https://me:url-password@127.0.0.1:\(port)/\(path)?key=query-secret
            secret-file: webhook.secret
            certfile: \(authority)
            events: [agent-started, session-up, reload-applied, agent-stopping]
          - name: nobody
            url: http://127.0.0.1:9/path-secret
            secret-file: webhook.secret
            max-tries: 1
        servers:
          - { name: public, host: 127.0.0.1, port: 0 }
        tunnels:
          - { name: web, tunnel: ws://127.0.0.1:9, server: builtin:echo, token: token-secret-of-webhooks }

        """
    }

    private static func run(_ arguments: String...) throws -> String {
        let process = try wstunnel(arguments)
        _ = try process.waitForExit()
        return process.standardOutput.text + process.standardError.text
    }

    @Test func eventsAreDeliveredSignedAndNothingIsGivenAway() throws {
        let authority = try CertificateAuthority()
        let certificate = try authority.issue("hook", name: "hook")
        let (first, second) = (try Receiver(certificate), try Receiver(certificate))
        let adminPort = try freePort()
        let text = { (port: Int, path: String) in
            Self.configuration(port, path: path, authority: authority.path, adminPort: adminPort)
        }
        let agent = try AgentProcess(
            configuration: text(first.port, "path-secret"), files: ["webhook.secret": Self.secret + "\n"])
        try first.wait(for: "good /path-secret?key=query-secret agent-started Agent running")
        // The one that nobody answers holds up nobody, and is told of.
        let failure = try agent.waitForLog("Webhook failed", ["webhook.name": "nobody"])
        #expect(failure["error.code"] == "refused")

        try text(second.port, "new-path-secret").write(
            toFile: agent.configurationPath, atomically: true, encoding: .utf8)
        agent.process.send(signal: SIGHUP)
        try second.wait(for: "good /new-path-secret?key=query-secret reload-applied")
        let seen = [
            try Self.run("status", agent.configurationPath),
            try Self.run("status", "--format", "json", agent.configurationPath),
            try Self.run("show", agent.configurationPath),
            try Self.run("plan", agent.configurationPath),
            try curl(
                "-sS", "-H", "Authorization: Bearer bearer-secret-of-webhooks",
                "http://127.0.0.1:\(adminPort)/api/events?recent=4096"
            ).text,
        ]
        #expect(seen[0].contains("https://127.0.0.1:\(second.port)"), "\(seen[0])")
        #expect(seen[1].contains("\"webhooks\"") && seen[1].contains("\"deadLetters\""))
        #expect(seen[2].contains("/***"), "\(seen[2])")
        #expect(seen[4].contains("reload-applied"))

        #expect(try agent.stop() == .code(0))
        // What waited had its chance.
        try second.wait(for: "agent-stopping")
        let delivered = (first.process.standardOutput.lines + second.process.standardOutput.lines)
        #expect(!delivered.contains { $0.hasPrefix("bad") })
        for secret in Self.secrets {
            for text in seen + [agent.log.joined(separator: "\n")] {
                #expect(!text.contains(secret), "\(secret) in \(text)")
            }
        }
    }

    @Test func whoIsNotBelievedOverTLSIsToldNothing() throws {
        let (authority, other) = (try CertificateAuthority(), try CertificateAuthority())
        let receiver = try Receiver(try other.issue("hook", name: "hook"))
        let agent = try AgentProcess(
            configuration: Self.configuration(
                receiver.port, path: "path-secret", authority: authority.path, adminPort: try freePort()),
            files: ["webhook.secret": Self.secret + "\n"])
        let failure = try agent.waitForLog("Webhook failed", ["webhook.name": "pager"])
        #expect(failure["error.code"] == "tls-failed")
        #expect(try agent.stop() == .code(0))
        #expect(receiver.process.standardOutput.lines.count == 1)
    }
}
