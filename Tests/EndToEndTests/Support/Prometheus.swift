import Foundation
import TestSupport

/// Debian's Prometheus, which scrapes once a second, with the rules of `config/prometheus` made impatient.
final class Prometheus: Sendable {
    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    struct Rule: Sendable {
        let name: String
        let health: String
        let lastError: String
        /// Of an alert: `inactive`, `pending`, `firing`.
        let state: String
    }

    private let port: Int
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts it and waits until it is ready.
    ///
    /// - Parameters:
    ///   - port: of the agent's admin listener, whose token is `token`.
    init(scraping port: Int, token: String) throws {
        folder = try TemporaryFolder()
        try folder.write(token, to: "wstunnel-look-token")
        try folder.write(try Self.impatientRules(), to: "wstunnel.rules.yml")
        let given = try String(
            contentsOf: Self.repository.appending(path: "config/prometheus/prometheus.yml"), encoding: .utf8)
        let text = given.replacing("127.0.0.1:9400", with: "127.0.0.1:\(port)")
            .replacing("/etc/prometheus/wstunnel-look-token", with: folder.path(of: "wstunnel-look-token"))
            .replacing(/(scrape|evaluation)_interval: 15s/) { "\($0.1)_interval: 1s" }
        let path = try folder.write(text, to: "prometheus.yml")
        var lastFailure = TestFailure("prometheus was not started")
        for _ in 0..<5 {
            let port = try freePort()
            let process = try ChildProcess([
                "/usr/bin/prometheus", "--config.file=\(path)", "--storage.tsdb.path=\(folder.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--enable-feature=exemplar-storage",
            ])
            do {
                try process.standardError.waitForLine(
                    containing: "Server is ready to receive web requests", within: .seconds(40))
                (self.process, self.port) = (process, port)
                return
            } catch let failure as TestFailure {
                lastFailure = failure
                guard process.standardError.text.contains("address already in use") else { break }
            }
        }
        throw lastFailure
    }

    /// Windows of seconds where ours have minutes.
    private static func impatientRules() throws -> String {
        let rules = repository.appending(path: "config/prometheus/wstunnel.rules.yml")
        return try String(contentsOf: rules, encoding: .utf8)
            .replacing(/for: \d+[mh]/) { _ in "for: 1s" }
            .replacing(/\[\d+m\]/) { _ in "[20s]" }
    }

    /// Runs its tool in a folder.
    ///
    /// - Parameter arguments: as the shell reads them.
    static func promtool(_ arguments: String, in folder: URL) throws -> (
        exit: ChildProcess.Exit, text: String
    ) {
        let process = try ChildProcess(["/bin/sh", "-c", "cd '\(folder.path)' && exec promtool \(arguments)"])
        let exit = try process.waitForExit()
        try process.standardOutput.waitForEnd()
        try process.standardError.waitForEnd()
        return (exit, process.standardOutput.text + process.standardError.text)
    }

    func kill() { process.kill() }

    private func ask(_ path: String, _ parameters: String...) throws -> [String: Any] {
        let arguments = parameters.flatMap { ["--data-urlencode", $0] }
        let answer = try curl(["-G"] + arguments + ["http://127.0.0.1:\(port)/api/v1/\(path)"])
        let object = try JSONSerialization.jsonObject(with: Data(answer.standardOutput)) as? [String: Any]
        guard let object, object["status"] as? String == "success" else {
            throw TestFailure("\(path) \(parameters): \(answer.text)")
        }
        return object
    }

    /// What a query gives now: labels and number of each series.
    func query(_ query: String) throws -> [(labels: [String: String], value: Double)] {
        let data = try ask("query", "query=\(query)")["data"] as? [String: Any]
        let result = data?["result"] as? [[String: Any]] ?? []
        return result.map { series in
            let value = (series["value"] as? [Any])?.last as? String ?? ""
            return (series["metric"] as? [String: String] ?? [:], Double(value) ?? .nan)
        }
    }

    /// Ids of requests that stand beside buckets.
    func exemplarIDs(_ query: String) throws -> [String] {
        let now = Date().timeIntervalSince1970
        let answer = try ask("query_exemplars", "query=\(query)", "start=\(now - 600)", "end=\(now + 5)")
        let series = answer["data"] as? [[String: Any]] ?? []
        return series.flatMap { $0["exemplars"] as? [[String: Any]] ?? [] }
            .compactMap { ($0["labels"] as? [String: String])?["request_id"] }
    }

    func rules() throws -> [Rule] {
        let data = try ask("rules")["data"] as? [String: Any]
        return (data?["groups"] as? [[String: Any]] ?? []).flatMap { $0["rules"] as? [[String: Any]] ?? [] }
            .map { rule in
                Rule(
                    name: rule["name"] as? String ?? "", health: rule["health"] as? String ?? "",
                    lastError: rule["lastError"] as? String ?? "", state: rule["state"] as? String ?? "")
            }
    }

    /// Waits until all of these alerts fire.
    func waitForAlerts(_ names: Set<String>, within limit: Duration = .seconds(60)) throws {
        try wait(for: "alerts", within: limit) {
            let firing = Set(try rules().filter { $0.state == "firing" }.map(\.name))
            let missing = names.subtracting(firing)
            return missing.isEmpty ? nil : "\(missing.sorted()) do not fire; \(firing.sorted()) do"
        }
    }

    /// Whom an alert fires at now, by one of its labels.
    func subjects(ofAlert name: String, _ label: String) throws -> Set<String> {
        let query = "ALERTS{alertname=\"\(name)\",alertstate=\"firing\"}"
        return Set(try self.query(query).compactMap { $0.labels[label] })
    }

    /// Waits until a query gives something.
    func wait(forResultOf query: String, within limit: Duration = .seconds(30)) throws {
        try wait(for: query, within: limit) { try self.query(query).isEmpty ? "nothing" : nil }
    }

    /// - Parameter missing: what is; nil where nothing is any more.
    private func wait(for what: String, within limit: Duration, _ missing: () throws -> String?) throws {
        let deadline = ContinuousClock.now + limit
        while let reason = try missing() {
            guard ContinuousClock.now < deadline else { throw TestFailure("\(what): \(reason)") }
            // It looks at its targets once a second.
            usleep(200_000)
        }
    }
}
