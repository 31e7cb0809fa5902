import AgentStatus
import Foundation
import Testing

@testable import Observability

@Suite struct MetricCatalogueTests {
    @Test(arguments: MetricCatalogue.all) func aFamilyIsNamedAsPrometheusAsks(family: MetricFamily) {
        #expect(family.name.wholeMatch(of: /(wstunnel|process)(_[a-z0-9]+)+/) != nil)
        #expect(
            ["_total", "_info", "_count", "_sum", "_bucket", "_created"].allSatisfy {
                !family.name.hasSuffix($0)
            })
        if let unit = family.unit { #expect(family.name.hasSuffix("_\(unit.rawValue)")) }
        #expect(family.help.hasSuffix(".") && !family.help.contains { "\"\\\n".contains($0) })
        #expect(family.labels.count <= 2)
        for label in family.labels {
            #expect(MetricCatalogue.labels.contains { $0.key == label }, "nobody says what \(label) is")
        }
        // The buckets are those of durations.
        if family.kind == .histogram || family.kind == .summary { #expect(family.unit == .seconds) }
    }

    @Test func noNameStandsTwice() {
        let names = MetricCatalogue.all.flatMap { [$0.name] + $0.seriesNames.filter { $0.contains("_") } }
        let twice = Dictionary(grouping: names) { $0 }.filter { $0.value.count > 1 }.keys
        // A gauge's series has its name.
        #expect(
            twice.allSatisfy { name in MetricCatalogue.all.contains { $0.name == name && $0.kind == .gauge } }
        )
        #expect(Set(MetricCatalogue.all.map(\.name)).count == MetricCatalogue.all.count)
    }

    @Test(arguments: MetricsFormat.allCases) func aPageHasEveryFamilyOnceAndWithItsLabels(
        format: MetricsFormat
    )
        throws
    {
        let text = MetricsWorld.text(MetricsWorld.full, as: format)
        let known = Dictionary(
            uniqueKeysWithValues: MetricCatalogue.all.flatMap { family in
                family.seriesNames.map { ($0, family) }
            })
        var seen: Set<String> = []
        var series: Set<String> = []
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let sample = try #require(line.wholeMatch(of: /([a-z0-9_]+)(?:\{(.*?)\})? ([-0-9.]+)/), "\(line)")
            let name = String(sample.1)
            let family = try #require(known[name], "\(name) is not in the catalogue")
            let labels = (sample.2 ?? "").matches(of: /([a-z]+)="/).map { String($0.1) }
            #expect(labels == family.labels + (name.hasSuffix("_bucket") ? ["le"] : []))
            seen.insert(family.name)
            let isNew = series.insert(String(line[..<(line.lastIndex(of: " ") ?? line.endIndex)])).inserted
            #expect(isNew, "twice: \(line)")
        }
        #expect(seen == Set(MetricCatalogue.all.map(\.name)))
        #expect(text.hasSuffix("# EOF\n") == (format == .openMetrics))
        for family in MetricCatalogue.all {
            #expect(text.components(separatedBy: "# HELP \(Self.title(family, format)) ").count == 2)
        }
    }

    private static func title(_ family: MetricFamily, _ format: MetricsFormat) -> String {
        switch (format, family.kind) {
        case (.prometheus, .counter), (.prometheus, .info): family.seriesNames[0]
        default: family.name
        }
    }

    @Test func thePageSaysWhatWasMeasured() {
        let text = MetricsWorld.text(MetricsWorld.full)
        for line in [
            #"wstunnel_build_info{version="1.2"} 1"#, #"wstunnel_agent_phase{phase="running"} 1"#,
            #"wstunnel_agent_phase{phase="stopping"} 0"#, "wstunnel_configuration_generation 3",
            #"wstunnel_reloads_total{outcome="unchanged"} 0"#, "wstunnel_last_reload_successful 0",
            #"wstunnel_load_ratio{resource="memory"} 0.9"#,
            #"wstunnel_log_lines_dropped_total{sink="log"} 4"#,
            #"wstunnel_event_loop_cpu_seconds_total{loop="0"} 1.5"#,
            #"wstunnel_event_loop_delay_seconds{loop="1"} 0.25"#, "process_start_time_seconds 1700000000.12",
            #"wstunnel_server_listening{server="broken"} 0"#,
            #"wstunnel_server_listening{server="public"} 1"#,
            #"wstunnel_requests_total{server="public",code="200"} 1"#,
            #"wstunnel_requests_total{server="public",code="none"} 1"#,
            #"wstunnel_request_outcomes_total{server="public",outcome="caller-left"} 1"#,
            #"wstunnel_request_part_duration_seconds_count{server="public",part="tunnel"} 1"#,
            #"wstunnel_handshake_failures_total{server="public",reason="unauthorized"} 2"#,
            #"wstunnel_limits_reached_total{server="public",limit="per-address.requests"} 9"#,
            #"wstunnel_certificate_expiry_timestamp_seconds{server="public",use="tls"} 1800000000"#,
            #"wstunnel_certificate_expiry_timestamp_seconds{server="",use="admin"} 1700000500"#,
            #"wstunnel_paused{kind="server"} 0"#, #"wstunnel_paused{kind="tunnel"} 2"#,
            "wstunnel_blocked_tokens 3", #"wstunnel_webhook_events_waiting{webhook="pager"} 4"#,
            #"wstunnel_webhook_events_delivered_total{webhook="pager"} 70"#,
            #"wstunnel_webhook_failures_total{webhook="pager"} 9"#,
            #"wstunnel_webhook_dead_letters_total{webhook="pager"} 2"#, "wstunnel_tracing_fault 1",
            "wstunnel_tracing_spans_sent_total 400", "wstunnel_tracing_requests_dropped_total 5",
            "wstunnel_tracing_requests_limited_total 6", "wstunnel_history_fault 1",
            "wstunnel_history_file_bytes 8192", "wstunnel_history_rows_lost_total 11",
            #"wstunnel_tunnel_requests_total{tunnel="web",class="5xx"} 567"#,
            #"wstunnel_tunnel_origin_duration_seconds_sum{tunnel="web"} 98765.4321"#,
            #"wstunnel_tunnel_origin_errors_total{tunnel="web",reason="refused"} 5"#,
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
        // Reasons and classes that there were none of take no room.
        #expect(!text.contains("stopping\"} 0\nwstunnel_handshake") && !text.contains("reason=\"stopping\""))
        #expect(!text.contains("class=\"3xx\""))
    }

    @Test func whatAnAgentDoesNotHaveHasNoSamples() {
        var agent = AgentMeasures(version: "1", phase: .running, generation: 1)
        var text = MetricsWorld.text(MetricsPage(agent, servers: [], tunnels: []))
        var samples = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        for part in ["webhook", "tracing", "history_fault", "history_file", "certificate"] {
            #expect(!samples.contains { $0.contains(part) }, "\(part)")
        }
        for line in [
            #"wstunnel_paused{kind="server"} 0"#, #"wstunnel_paused{kind="tunnel"} 0"#,
            "wstunnel_blocked_tokens 0", "wstunnel_history_rows_lost_total 0",
        ] {
            #expect(samples.contains(Substring(line)), "\(line)")
        }
        // What is there, and well.
        agent.tracing = TracingSnapshot(collector: "http://127.0.0.1:4318")
        agent.history.file = "/var/lib/history.db"
        text = MetricsWorld.text(MetricsPage(agent, servers: [], tunnels: []))
        samples = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(samples.contains("wstunnel_tracing_fault 0") && samples.contains("wstunnel_history_fault 0"))
    }

    @Test func threeThousandTunnelsFitInFiveMegabytes() {
        let page = MetricsPage(
            AgentMeasures(version: "1", phase: .running, generation: 1), servers: [],
            tunnels: (0..<3000).map { MetricsWorld.tunnel("customer-tunnel-\($0)") })
        #expect(page.bytes(as: .openMetrics).count < 5_000_000)
        #expect(page.bytes(as: .prometheus).count < 5_000_000)
    }
}
