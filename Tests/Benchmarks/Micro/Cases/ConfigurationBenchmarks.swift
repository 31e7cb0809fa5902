import Reconciliation
import TunnelConfiguration
import TunnelProtocol

private let tunnelCount = 1000

private let text: String = {
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
                timeout: 30s

            """
    }
    return text
}()

/// A machine that holds one file.
struct OneFile: ConfigurationSource {
    let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }

    func readFile(at path: String, sizeLimit: Int) throws(ConfigurationSourceError) -> ConfigurationFile {
        ConfigurationFile(bytes: bytes, isWorldReadable: false)
    }
    func kind(ofPath path: String) -> PathKind { .missing }
    func listFolder(at path: String) throws(ConfigurationSourceError) -> [String] { throw .notFound }
    func identity(ofFile path: String) -> String { path }
    func environmentVariable(_ name: String) -> String? { nil }
    var now: Int { 0 }
    func fault(of pair: KeyPair) -> KeyPairFault? { nil }
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

private func configuration(timeout: Duration) throws -> AgentConfiguration {
    AgentConfiguration(
        servers: [ServerConfiguration(name: "public", port: 8080)],
        tunnels: try (0..<tunnelCount).map {
            var tunnel = TunnelClientConfiguration(
                name: "tunnel-\($0)", tunnel: TunnelURL(isSecure: false, host: "localhost", port: 8080),
                origin: .echo, token: try RendezvousToken("token-of-the-tunnel-\($0)"))
            tunnel.timeout = timeout
            return tunnel
        })
}

private func plan(changes: Int) throws -> Operation {
    let running = try configuration(timeout: .seconds(30))
    let desired = try configuration(timeout: changes == 0 ? .seconds(30) : .seconds(45))
    return {
        let plan = ReloadPlan(running: running, desired: desired)
        try require(plan.tunnels.count == changes && plan.servers.isEmpty, "\(plan.tunnels.count) changes")
        blackHole(plan)
    }
}

let configurationBenchmarks = [
    Benchmark("load-1000", "a configuration of 1,000 tunnels is read and checked", iterations: 1) {
        let source = OneFile(text)
        return { blackHole(try load(source)) }
    },
    Benchmark("plan-1000-same", "1,000 tunnels, of which none changed, are planned", iterations: 3) {
        try plan(changes: 0)
    },
    Benchmark("plan-1000-changed", "1,000 tunnels, of which all changed, are planned", iterations: 2) {
        try plan(changes: tunnelCount)
    },
]
