import Foundation
import Synchronization
import TestSupport
import Testing

/// A real Prometheus scrapes a real agent, with the rules of `config/prometheus`.
@Suite(.timeLimit(.minutes(10))) struct PrometheusTests {
    private static let isSlow = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] != nil

    @Test func aHealthyAgentIsScrapedAndNoAlertFires() throws {
        let agent = try WatchedAgent()
        let prometheus = try Prometheus(scraping: agent.adminPort, token: WatchedAgent.token)
        try prometheus.wait(forResultOf: "up{job=\"wstunnel\"} == 1")
        // Some scrapes, each of which has something new to tell.
        let wanted = Self.isSlow ? 120 : 12
        let began = ContinuousClock.now
        while try prometheus.query("count_over_time(up{job=\"wstunnel\"}[10m]) >= \(wanted)").isEmpty {
            #expect(try agent.ask(WatchedAgent.web, "/x").status == 200)
            try #require(ContinuousClock.now - began < .seconds(wanted * 2 + 30))
            usleep(100_000)
        }
        #expect(try prometheus.query("min_over_time(up{job=\"wstunnel\"}[10m])").map(\.value) == [1])
        // Each scrape was read whole, as OpenMetrics, and none twice the same.
        let samples = try prometheus.query("scrape_samples_scraped{job=\"wstunnel\"}").map(\.value)
        #expect(samples.count == 1 && samples.allSatisfy { $0 > 100 })
        let rate = try prometheus.query(#"rate(wstunnel_requests_started_total{server="public"}[10s])"#)
        #expect(rate.count == 1 && rate.allSatisfy { $0.value > 0.5 })
        #expect(try prometheus.query("wstunnel_build_info").first?.labels["version"]?.isEmpty == false)
        let rules = try prometheus.rules()
        #expect(rules.count > 20)
        for rule in rules { #expect(rule.health == "ok" && rule.lastError.isEmpty, "\(rule)") }
        // How late a loop is, and what it keeps waiting, the machine decides, which others keep busy.
        let firing = rules.filter { $0.state == "firing" }.map(\.name)
        #expect(firing.filter { $0 != "WstunnelEventLoopLate" && !$0.hasSuffix("Slow") } == [])
        let ids = try prometheus.exemplarIDs("wstunnel_request_duration_seconds_bucket")
        #expect(!ids.isEmpty)
        #expect(try agent.world.agent.stop() == .code(0))
    }

    @Test func whatBreaksIsToldOf() throws {
        let agent = try WatchedAgent(isTroubled: true)
        let prometheus = try Prometheus(scraping: agent.adminPort, token: WatchedAgent.token)
        // Wrong from the start: nobody at the other end, a certificate of a day, a MiB of memory, no file for the history.
        try prometheus.waitForAlerts([
            "WstunnelTunnelDown", "WstunnelCertificateExpires", "WstunnelCertificateExpiresSoon",
            "WstunnelMemoryHigh", "WstunnelLoadShedding", "WstunnelHistoryFault",
        ])
        #expect(try agent.world.agent.command("pause", "down").exit == .code(0))
        try prometheus.waitForAlerts(["WstunnelPausedLong"])

        // An origin that is not there, while callers ask.
        let isOver = Atomic<Bool>(false)
        let callers = Background { () throws in
            while !isOver.load(ordering: .relaxed) {
                #expect(try agent.ask(WatchedAgent.broken).status == 502)
                usleep(50_000)
            }
        }
        try prometheus.waitForAlerts([
            "WstunnelErrorRatioHigh", "WstunnelOriginFails", "WstunnelTracingFails",
        ])

        isOver.store(true, ordering: .relaxed)
        try callers.value()

        // One that is there, and takes its time: nobody else is to blame.
        let isFast = Atomic<Bool>(false)
        let slowCallers = Background { () throws in
            while !isFast.load(ordering: .relaxed) {
                #expect(try agent.ask(WatchedAgent.web, "/slow").status == 200)
            }
        }
        try prometheus.waitForAlerts(["WstunnelOriginSlow"])
        isFast.store(true, ordering: .relaxed)
        try slowCallers.value()
        #expect(try prometheus.rules().first { $0.name == "WstunnelTunnelSlow" }?.state != "firing")

        // Those who guess; each who is shut out is an event that a webhook does not take.
        for source: UInt8 in 2...10 {
            for guess in 0..<3 {
                let connection = try HTTPConnection(port: agent.port, from: source)
                try connection.send("GET", "/", fields: [("X-Token", "guess-\(source)-\(guess)-guess")])
                _ = try? connection.readResponse()
                connection.close()
            }
        }
        try prometheus.waitForAlerts(["WstunnelBansSpike", "WstunnelWebhookDeadLetters"])

        // A tunnel that goes while callers wait for it.
        let start = agent.world.agent.log.count
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(agent.port)", to: agent.origin.url, token: WatchedAgent.gone))
        try client.waitForSession(ofTunnel: "web", at: agent.world.agent, from: start)
        #expect(try client.stop() == .code(0))
        let waiting = try (0..<14).map { _ in
            let connection = try HTTPConnection(port: agent.port)
            try connection.send("GET", "/", fields: [("X-Token", WatchedAgent.gone)])
            return connection
        }
        try prometheus.waitForAlerts(["WstunnelQueueFilling"])
        for connection in waiting { connection.close() }

        // A log that cannot be written to, then a file that makes no sense.
        try agent.world.write("log: { file: /dev/full }\n" + agent.text)
        agent.world.agent.process.send(signal: SIGHUP)
        try prometheus.waitForAlerts(["WstunnelLogLinesDropped"])
        try agent.world.write("nonsense: 1\n" + agent.text)
        agent.world.agent.process.send(signal: SIGHUP)
        try prometheus.waitForAlerts(["WstunnelReloadRefused"])

        // Hardly a descriptor left.
        let open = try agent.world.agent.process.openFileCount()
        let limit = try ChildProcess([
            "prlimit", "--pid", "\(agent.world.agent.process.processID)", "--nofile=\(open * 100 / 85)",
        ])
        #expect(try limit.waitForExit() == .code(0))
        try prometheus.waitForAlerts(["WstunnelDescriptorsHigh"])

        agent.world.agent.process.kill()
        try prometheus.waitForAlerts(["WstunnelAgentAbsent"])
        for rule in try prometheus.rules() { #expect(rule.health == "ok", "\(rule)") }
    }
}
