/// `tracing`: spans of requests, and the collector that they are sent to.
package struct TracingConfiguration: Hashable, Sendable {
    /// Sent with each batch.
    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: Secret

        package init(name: String, value: Secret) {
            self.name = name
            self.value = value
        }
    }

    /// What goes behind the collector's path (OTLP/HTTP).
    package static let tracesPath = "/v1/traces"
    /// Most of `headers`.
    package static let mostHeaders = 16

    /// Where a collector takes OTLP over HTTP; `/v1/traces` goes behind its path.
    package var collector: OriginURL
    package var headers: [Header]
    /// By which a collector knows the agent.
    package var serviceName: String
    /// Of the traces that begin here, how many of one are kept: 0 to 1.
    package var sample: Double
    /// Whether any caller may have spans made of his requests; else trusted proxies alone.
    package var callersMaySample: Bool
    /// Most spans of a second.
    package var spansPerSecond: Int
    /// Which collectors are believed over TLS.
    package var trust: PeerTrust

    package init(
        collector: OriginURL = Self.defaultCollector, headers: [Header] = [],
        serviceName: String = "wstunnel", sample: Double = 1, callersMaySample: Bool = true,
        spansPerSecond: Int = 1000, trust: PeerTrust = PeerTrust()
    ) {
        self.collector = collector
        self.headers = headers
        self.serviceName = serviceName
        self.sample = sample
        self.callersMaySample = callersMaySample
        self.spansPerSecond = spansPerSecond
        self.trust = trust
    }

    /// Where the OpenTelemetry collector, Jaeger and Tempo listen.
    package static let defaultCollector = OriginURL(isSecure: false, host: "127.0.0.1", port: 4318)
}
