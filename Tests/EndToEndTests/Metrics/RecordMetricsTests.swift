import Foundation
import Synchronization
import TestSupport
import Testing

/// What `/metrics` says of webhooks, spans, the history, of what is paused, and of the admin listener's certificate.
@Suite(.timeLimit(.minutes(2))) struct RecordMetricsTests {
    private static let adminToken = "record-metrics-admin-token"
    private static let token = "record-metrics-tunnel-1"
    /// What the names of webhooks do not give away.
    private static let secrets = [
        "path-secret", "query-secret", "user-secret", "webhook-secret", adminToken, token, "127.0.0.1",
    ]

    /// An agent with all of it: one webhook that refuses to hear of pauses and one that is not there, a collector that refuses
    /// its first spans, and a file in the history's place that is none.
    private final class World: Sendable {
        let world: ReloadedAgent
        let collector: SpanCollector
        let port: Int
        private let receiver: ScriptedOrigin
        private let authority: CertificateAuthority
        private let adminPort: Int
        /// What is there also without all of it.
        private let rest: String

        init() throws {
            authority = try CertificateAuthority()
            try authority.issue("admin", name: "admin", days: 1)
            collector = try SpanCollector(answers: [(400, nil)])
            receiver = try ScriptedOrigin { connection in
                while let request = try connection.readRequest() {
                    _ = try connection.readBody(of: request)
                    try connection.respond(request["X-Wstunnel-Event"] == "paused" ? 400 : 200, text: "")
                }
            }
            let nobody = try freePort()
            port = try freePort()
            adminPort = try freePort()
            rest = """
                servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: \(RecordMetricsTests.token), connections: 1 }

                """
            let tls = "{ certfile: \(authority.file("admin.pem")), keyfile: \(authority.file("admin.key")) }"
            let text = """
                admin: { listen: "127.0.0.1:\(adminPort)", token: \(RecordMetricsTests.adminToken), tls: \(tls) }
                history: { file: history.db }
                tracing: { collector: "\(collector.url)" }
                webhooks:
                  - name: pager
                    url: "http://me:user-secret@127.0.0.1:\(receiver.port)/path-secret?key=query-secret"
                    secret: webhook-secret-of-the-metrics
                    events: [agent-started, paused, resumed]
                  - name: away
                    url: "http://127.0.0.1:\(nobody)/path-secret"
                    secret: webhook-secret-of-the-metrics
                    events: [agent-started, paused, resumed]

                """
            world = try ReloadedAgent(text + rest, files: ["history.db": "kept by somebody else\n"])
            try world.waitForTunnel()
        }

        /// Takes away whatever is not needed to be asked.
        func takeAllAway() throws {
            let admin =
                "admin: { listen: \"127.0.0.1:\(adminPort)\", token: \(RecordMetricsTests.adminToken) }"
            guard try world.apply("\(admin)\n\(rest)") == .applied else { throw TestFailure("not applied") }
        }

        func ask() throws -> Int {
            let connection = try HTTPConnection(port: port)
            defer { connection.close() }
            return try connection.exchange("GET", "/", fields: [("X-Token", RecordMetricsTests.token)]).status
        }

        private func page(isSecure: Bool) throws -> String {
            let answer = try curl(
                "--cacert", authority.path, "-H", "Authorization: Bearer \(RecordMetricsTests.adminToken)",
                "\(isSecure ? "https" : "http")://127.0.0.1:\(adminPort)/metrics")
            guard answer.status == 200 else { throw TestFailure("\(answer)") }
            return answer.text
        }

        /// Waits until the page has all of these lines.
        @discardableResult func wait(for lines: [String]) throws -> String {
            try wait { page in lines.filter { !page.contains("\n\($0)\n") } }
        }

        /// Waits until nothing of the page is wrong any more.
        func wait(isSecure: Bool = true, _ faults: (String) -> [String]) throws -> String {
            let deadline = ContinuousClock.now + .seconds(20)
            while true {
                let page = try page(isSecure: isSecure)
                let faults = faults(page)
                if faults.isEmpty { return page }
                guard ContinuousClock.now < deadline else { throw TestFailure("\(faults): \(page)") }
                // The agent announces nothing of it: it is asked again in a moment.
                usleep(50_000)
            }
        }

        func command(_ arguments: String...) throws {
            let program = try wstunnel(arguments + ["--config", world.agent.configurationPath])
            guard try program.waitForExit() == .code(0) else { throw TestFailure(program.standardError.text) }
        }
    }

    private static func value(of series: String, in page: String) -> Double? {
        page.split(separator: "\n").first { $0.hasPrefix("\(series) ") }
            .flatMap { Double($0.dropFirst(series.utf8.count + 1)) }
    }

    @Test func whatDoesNotGetThroughIsCountedAndWhatIsPausedIsShown() throws {
        let world = try World()
        let began = Date().timeIntervalSince1970
        try world.wait(for: [
            #"wstunnel_webhook_events_delivered_total{webhook="pager"} 1"#,
            #"wstunnel_webhook_dead_letters_total{webhook="pager"} 0"#, #"wstunnel_paused{kind="server"} 0"#,
            #"wstunnel_paused{kind="tunnel"} 0"#, "wstunnel_blocked_tokens 0", "wstunnel_history_fault 1",
            "wstunnel_tracing_fault 0", "wstunnel_tracing_spans_sent_total 0",
        ])

        #expect(try world.ask() == 200)
        try world.wait(for: ["wstunnel_tracing_requests_dropped_total 1", "wstunnel_tracing_fault 1"])
        #expect(try world.ask() == 200)
        try world.wait(for: ["wstunnel_tracing_fault 0", "wstunnel_tracing_spans_sent_total 4"])
        #expect(world.collector.faults == [])

        try world.command("pause", "web")
        let blocked = try world.world.folder.write("another-tunnel-token", to: "blocked.token")
        try world.command("block-token", "--token-file", blocked)
        let paused = try world.wait(for: [
            #"wstunnel_webhook_dead_letters_total{webhook="pager"} 1"#,
            #"wstunnel_webhook_failures_total{webhook="pager"} 1"#,
            #"wstunnel_webhook_events_waiting{webhook="away"} 2"#, #"wstunnel_paused{kind="tunnel"} 1"#,
            #"wstunnel_paused{kind="server"} 0"#, "wstunnel_blocked_tokens 1",
            // What is paused is not down.
            #"wstunnel_tunnel_sessions_wanted{tunnel="web"} 0"#,
        ])
        for secret in Self.secrets { #expect(!paused.contains(secret), "\(secret)") }
        let expiry = try #require(
            Self.value(
                of: #"wstunnel_certificate_expiry_timestamp_seconds{server="",use="admin"}"#, in: paused))
        #expect(abs(expiry - began - 86_400) < 600)
        try world.world.folder.write(paused, to: "page.txt")
        let found = try Prometheus.promtool(
            "check metrics < page.txt", in: URL(filePath: world.world.folder.path))
        #expect(found.exit == .code(0) && found.text.isEmpty, "\(found)")

        try world.command("resume", "web")
        try world.command("unblock-token", "--all")
        try FileManager.default.removeItem(atPath: world.world.folder.path(of: "history.db"))
        let mended = try world.wait(for: [
            #"wstunnel_webhook_events_delivered_total{webhook="pager"} 2"#,
            #"wstunnel_webhook_events_waiting{webhook="pager"} 0"#,
            #"wstunnel_webhook_dead_letters_total{webhook="pager"} 1"#,
            #"wstunnel_webhook_events_waiting{webhook="away"} 3"#,
            #"wstunnel_webhook_events_delivered_total{webhook="away"} 0"#,
            #"wstunnel_webhook_dead_letters_total{webhook="away"} 0"#, #"wstunnel_paused{kind="tunnel"} 0"#,
            "wstunnel_blocked_tokens 0", "wstunnel_history_fault 0", "wstunnel_history_rows_lost_total 0",
        ])
        let tries = Self.value(of: #"wstunnel_webhook_failures_total{webhook="away"}"#, in: mended)
        #expect((tries ?? 0) >= 1)
        #expect((Self.value(of: "wstunnel_history_file_bytes", in: mended) ?? 0) > 0)

        // Of what is not there any more there is nothing.
        try world.takeAllAway()
        let parts = ["webhook", "tracing", "history_file", "history_fault", "certificate"]
        // A thread closes the history's file, behind the reload.
        let text = try world.wait(isSecure: false) { page in
            page.split(separator: "\n").filter { !$0.hasPrefix("#") }
                .filter { line in parts.contains { line.contains($0) } }.map { String($0) }
        }
        for line in [#"wstunnel_paused{kind="tunnel"} 0"#, "wstunnel_history_rows_lost_total 0"] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
        #expect(try world.world.agent.stop() == .code(0))
    }
}
