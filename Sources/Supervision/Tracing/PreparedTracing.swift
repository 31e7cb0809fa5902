import HTTPMessage
import NIOPosix
import Reconciliation
import TransportSecurity
import TunnelConfiguration

/// Where spans go, with all that can fail done.
struct PreparedTracing: Sendable {
    let configuration: TracingConfiguration
    let destination: WebDestination
    /// What goes with each batch.
    let fields: HeaderFields

    /// - Throws: when certificates cannot be used. May read the system's roots: not for event loops.
    init(_ configuration: TracingConfiguration, _ means: AgentMeans) throws(TLSSetupError) {
        self.configuration = configuration
        destination = try WebDestination(
            configuration.collector, path: TracingConfiguration.tracesPath, trust: configuration.trust,
            on: means.group.next(), hasSystemRoots: means.hasSystemRoots)
        var fields = HeaderFields([.contentType: "application/json"])
        fields.append(named: "User-Agent", means.software.replacing(" ", with: "/"))
        for header in configuration.headers { fields.append(named: header.name, header.value.secret) }
        self.fields = fields
    }
}

extension Preparer {
    /// - Returns: nil where nothing is traced or all is as before, and where the collector cannot be used.
    mutating func prepareTracing() -> PreparedTracing? {
        guard let wanted = plan.result.tracing, ground.isStart || wanted != ground.running.tracing else {
            return nil
        }
        return findings.attempt(of: "tracing") { try PreparedTracing(wanted, means) }
    }
}
