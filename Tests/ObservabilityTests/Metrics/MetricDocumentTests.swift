import Foundation
import Testing

@testable import Observability

/// `config/METRICS.md`, the rules and the dashboard: they name nothing that is not there.
@Suite struct MetricDocumentTests {
    private static let rules = "config/prometheus/wstunnel.rules.yml"
    private static let dashboard = "config/grafana/wstunnel.json"
    /// Labels that Prometheus puts on, and those that only alerts have.
    private static let ofPrometheus: Set<String> = ["instance", "job", "le", "alertname", "severity"]

    /// `WSTUNNEL_RECORD_FIXTURES=1` writes the page's tables anew, and fails.
    @Test func thePageHasTheCatalogue() throws {
        let path = "config/METRICS.md"
        let text = try MetricsWorld.text(of: path)
        let (begin, end) = ("<!-- the catalogue -->\n", "<!-- its end -->")
        let parts = text.components(separatedBy: begin)
        try #require(parts.count == 2)
        let rest = parts[1].components(separatedBy: end)
        try #require(rest.count == 2)
        let wanted = parts[0] + begin + Self.tables + end + rest[1]
        #expect(text == wanted)
        if text != wanted, ProcessInfo.processInfo.environment["WSTUNNEL_RECORD_FIXTURES"] == "1" {
            let file = MetricsWorld.repository.appending(path: path)
            try wanted.write(to: file, atomically: true, encoding: .utf8)
        }
    }

    private static var tables: String {
        let groups = [
            ("Servers", MetricCatalogue.servers), ("Tunnels whose client this is", MetricCatalogue.tunnels),
            ("The agent", MetricCatalogue.agent),
            ("Webhooks, spans, the history", MetricCatalogue.records),
            ("The process", MetricCatalogue.process),
        ]
        var text = ""
        for (title, families) in groups {
            text += "\n## \(title)\n\n| series | kind | labels | meaning |\n|---|---|---|---|\n"
            for family in families {
                let name =
                    family.kind == .histogram || family.kind == .summary ? family.name : family.seriesNames[0]
                let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
                text += "| `\(name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |\n"
            }
        }
        text += "\n## Labels\n\n| label | values |\n|---|---|\n"
        for (label, meaning) in MetricCatalogue.labels { text += "| `\(label)` | \(meaning) |\n" }
        return text + "\n"
    }

    /// What an expression of PromQL names.
    struct Names {
        /// Of series of ours, each with the labels that it is picked by.
        var series: [(name: String, labels: [String])] = []
        /// By which it is grouped or joined.
        var labels: Set<String> = []

        init(in text: String) {
            // What rules record has colons in its name.
            let text = text.replacing(/[a-z_]+:[a-z0-9_]+(?::[a-z0-9_]+)*/, with: "")
            let pattern = /\b((?:wstunnel|process)_[a-z0-9_]+)(?:\{([^}]*)\})?/
            for match in text.matches(of: pattern) {
                let labels = (match.2 ?? "").matches(of: /([a-z_]+)\s*(?:=~|!~|!=|=)/).map { String($0.1) }
                series.append((String(match.1), labels))
            }
            for match in text.matches(of: /\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)/)
            {
                labels.formUnion(match.1.matches(of: /[a-z_]+/).map { String($0.0) })
            }
            labels.formUnion(text.matches(of: /\$labels\.([a-z_]+)/).map { String($0.1) })
        }
    }

    private static func check(_ text: String, _ source: String) {
        let names = Names(in: text)
        for (name, labels) in names.series {
            guard let family = MetricCatalogue.all.first(where: { $0.seriesNames.contains(name) }) else {
                Issue.record("\(source) names \(name), which is not in the catalogue")
                continue
            }
            for label in labels where !(ofPrometheus.union(family.labels).contains(label)) {
                Issue.record("\(source) picks \(name) by \(label), which it does not have")
            }
        }
        let known = ofPrometheus.union(MetricCatalogue.labels.map(\.key))
        #expect(names.labels.isSubset(of: known), "\(source): \(names.labels.subtracting(known))")
    }

    @Test func rulesNameWhatIsThere() throws {
        let text = try MetricsWorld.text(of: Self.rules)
        Self.check(text, Self.rules)
        #expect(Names(in: text).series.count > 20)
        // What they record is used by its whole name.
        let recorded = Set(text.matches(of: /record: (\S+)/).map { String($0.1) })
        for match in text.matches(of: /\b[a-z_]+:[a-z0-9_]+:[a-z0-9_]+/) {
            #expect(recorded.contains(String(match.0)))
        }
        let alerts = text.components(separatedBy: "- alert: ").dropFirst()
        #expect(alerts.count > 15)
        for alert in alerts {
            for key in ["expr:", "severity:", "summary:", "description:"] { #expect(alert.contains(key)) }
        }
    }

    @Test func theDashboardNamesWhatIsThere() throws {
        let data = Data(try MetricsWorld.text(of: Self.dashboard).utf8)
        var expressions: [String] = []
        Self.collect(try JSONSerialization.jsonObject(with: data), into: &expressions)
        #expect(expressions.count > 50)
        for expression in expressions { Self.check(expression, Self.dashboard) }
        // Nobody has to guess what there is: all of it is shown, but what only alerts need.
        let shown = Set(expressions.flatMap { Names(in: $0).series.map(\.name) })
        for family in MetricCatalogue.all {
            #expect(!shown.isDisjoint(with: family.seriesNames), "no panel shows \(family.name)")
        }
    }

    /// What is asked of Prometheus anywhere in it, and the names of labels in legends.
    private static func collect(_ value: Any, into expressions: inout [String]) {
        if let array = value as? [Any] {
            for element in array { collect(element, into: &expressions) }
        } else if let object = value as? [String: Any] {
            for (key, element) in object {
                if key == "expr" || key == "definition", let text = element as? String {
                    expressions.append(text)
                } else if key == "legendFormat", let text = element as? String {
                    let known = ofPrometheus.union(MetricCatalogue.labels.map(\.key))
                    for match in text.matches(of: /\{\{([a-z]+)\}\}/) {
                        #expect(known.contains(String(match.1)), "\(text)")
                    }
                } else {
                    collect(element, into: &expressions)
                }
            }
        }
    }

    @Test func namesAreFoundInExpressions() throws {
        let names = Names(
            in:
                #"sum by (instance, x) (rate(wstunnel_a_total{server=~"b",code!="2"}[5m])) / up * a:wstunnel_c:d"#
        )
        #expect(names.series.map(\.name) == ["wstunnel_a_total"])
        #expect(names.series.first?.labels == ["server", "code"])
        #expect(names.labels == ["instance", "x"])
    }
}
