import Foundation
import TestSupport
import Testing

/// `/metrics` of a running agent, as programs read it that are not ours.
@Suite(.timeLimit(.minutes(3))) struct MetricsTests {
    @Test func promtoolFindsNothingAgainstARealScrape() throws {
        let agent = try WatchedAgent(isTroubled: true)
        for _ in 0..<3 {
            #expect(try agent.ask(WatchedAgent.web, "/secret-path?key=secret-query").status == 200)
        }
        #expect(try agent.ask(WatchedAgent.broken).status == 502)
        #expect(try agent.ask("nobody-has-this-token").status == 404)
        let page = try agent.metrics()
        #expect(page.status == 200)
        try agent.world.folder.write(page.standardOutput, to: "page.txt")
        let found = try Prometheus.promtool(
            "check metrics < page.txt", in: URL(filePath: agent.world.folder.path))
        #expect(found.exit == .code(0) && found.text.isEmpty, "\(found)")
        // Nothing that is secret, and nothing that strangers have chosen.
        for secret in [
            WatchedAgent.token, "watched-agent-", "nobody-has", "secret", "127.0.0.1", "\(agent.port)\"",
        ] {
            #expect(!page.text.contains(secret), "\(secret)")
        }
        for line in [
            #"wstunnel_agent_phase{phase="running"} 1"#, #"wstunnel_server_listening{server="secure"} 1"#,
            #"wstunnel_tunnel_sessions{tunnel="down"} 0"#, #"wstunnel_tunnel_sessions{tunnel="web"} 1"#,
            "wstunnel_configuration_generation 1",
            #"wstunnel_tunnel_requests_started_total{tunnel="web"} 3"#,
        ] {
            #expect(page.text.contains("\n\(line)\n"), "\(line)")
        }
        #expect(page.text.contains("\nprocess_open_fds "))
    }

    @Test func promtoolFindsNothingAgainstTheRulesAndTheyFireAsTheyShould() throws {
        let folder = Prometheus.repository.appending(path: "config/prometheus")
        for arguments in ["check rules wstunnel.rules.yml", "test rules wstunnel.rules.test.yml"] {
            let found = try Prometheus.promtool(arguments, in: folder)
            #expect(found.exit == .code(0) && found.text.contains("SUCCESS"), "\(found)")
        }
    }

    @Test func theFormatIsWhatIsAcceptedAndGzipTooAndATokenIsAskedFor() throws {
        let agent = try WatchedAgent()
        let text = try agent.metrics()
        #expect(text.text.contains("# TYPE wstunnel_requests_started_total counter"))
        // As Prometheus 2.42 asks.
        let accept =
            "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        let plain = try agent.metrics("-i", "-H", accept)
        #expect(
            plain.text.contains("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"))
        #expect(plain.text.hasSuffix("# EOF\n") && !plain.text.contains("Content-Encoding"))
        let raw = try agent.metrics("-H", accept, "-H", "Accept-Encoding: gzip")
        #expect(raw.standardOutput.starts(with: [0x1f, 0x8b]) && raw.standardOutput.count < 8000)
        let unpacked = try agent.metrics("--compressed", "-H", accept)
        #expect(unpacked.text.hasSuffix("# EOF\n"))
        #expect(try curl("http://127.0.0.1:\(agent.adminPort)/metrics").status == 401)
        #expect(try agent.metrics("-X", "POST").status == 405)
    }

    @Test func seriesGoWithWhatTheyAreOf() throws {
        let agent = try WatchedAgent(isTroubled: true)
        #expect(try agent.metrics().text.contains("\"down\""))
        let rest = agent.text.split(separator: "\n").filter { !$0.contains("name: down") }
        #expect(try agent.world.apply(rest.joined(separator: "\n") + "\n") == .applied)
        let text = try agent.metrics().text
        #expect(!text.contains("\"down\"") && text.contains("\"broken\""))
        #expect(text.contains("wstunnel_configuration_generation 2\n"))
        #expect(text.contains(#"wstunnel_reloads_total{outcome="applied"} 1"#))
    }

    @Test func whoScrapesAtOnceIsAnsweredAtOnce() throws {
        let agent = try WatchedAgent()
        let pages = try inThreads(20) { index in
            try agent.metrics(index % 2 == 0 ? "--compressed" : "-s").text
        }
        #expect(pages.allSatisfy { $0.contains("wstunnel_build_info{version=") })
    }
}
