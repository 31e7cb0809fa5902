import Reconciliation
import TunnelConfiguration

private let tunnelCount = 1000

private func text(timeout: Int) -> String {
    var text = """
        servers:
          - { name: public, host: 127.0.0.1, port: 8080 }
        tunnels:

        """
    for index in 0..<tunnelCount {
        text += """
              - name: tunnel-\(index)
                tunnel: "ws://127.0.0.1:8080"
                server: "http://127.0.0.1:\(10_000 + index)"
                token: "token-of-the-tunnel-\(index)"
                timeout: \(timeout)s

            """
    }
    return text
}

/// A machine that holds one file.
private struct OneFile: ConfigurationSource {
    let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }

    func readFile(at path: String, sizeLimit: Int) throws(ConfigurationSourceError) -> ConfigurationFile {
        ConfigurationFile(bytes: bytes, isWorldReadable: false)
    }
    func kind(ofPath path: String) -> PathKind { .missing }
    func listFolder(at path: String) throws(ConfigurationSourceError) -> [String] { throw .notFound }
    func identity(ofFile path: String) -> String { path }
    func environmentVariable(_ name: String) -> String? { nil }
    func firstLine(
        ofCommand command: [String], timeLimit: Duration, sizeLimit: Int
    ) throws(ConfigurationSourceError) -> [UInt8] { throw .notFound }
}

private func load(_ source: OneFile) throws -> AgentConfiguration {
    let report = loadConfiguration(at: "tunnels.yaml", from: source)
    guard let configuration = report.configuration else {
        throw WrongResult(description: report.problems.first?.description ?? "no configuration")
    }
    try require(configuration.tunnels.count == tunnelCount, "\(configuration.tunnels.count) tunnels")
    return configuration
}

private func plan(newTimeout: Int, changes: Int) throws -> Operation {
    let running = try load(OneFile(text(timeout: 30)))
    let desired = try load(OneFile(text(timeout: newTimeout)))
    return {
        let plan = ReloadPlan(running: running, desired: desired)
        try require(plan.tunnels.count == changes && plan.servers.isEmpty, "\(plan.tunnels.count) changes")
        blackHole(plan)
    }
}

let configurationBenchmarks = [
    Benchmark("load-1000", "a configuration of 1,000 tunnels is read and checked", iterations: 1) {
        let source = OneFile(text(timeout: 30))
        return { blackHole(try load(source)) }
    },
    Benchmark("plan-1000-same", "1,000 tunnels, of which none changed, are planned", iterations: 5) {
        try plan(newTimeout: 30, changes: 0)
    },
    Benchmark("plan-1000-changed", "1,000 tunnels, of which all changed, are planned", iterations: 2) {
        try plan(newTimeout: 45, changes: tunnelCount)
    },
]
