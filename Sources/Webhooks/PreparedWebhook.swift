import OriginHTTP
package import TransportSecurity
package import TunnelConfiguration

/// A webhook's settings with all that can fail done.
package struct PreparedWebhook: Sendable {
    package let configuration: WebhookConfiguration
    let origin: HTTPOrigin

    /// - Parameter hasSystemRoots: whether the machine has certificates of authorities.
    /// - Throws: when certificates cannot be used. May read the system's roots: not for event loops.
    package init(
        _ configuration: WebhookConfiguration, hasSystemRoots: @escaping @Sendable () -> Bool
    ) throws(TLSSetupError) {
        self.configuration = configuration
        let url = configuration.url
        let tls = try ClientTLS(configuration.trust, hasSystemRoots: hasSystemRoots)
        if url.isSecure { try tls.load(for: url.host) }
        origin = HTTPOrigin(
            OriginAddress(isSecure: url.isSecure, host: url.host, port: url.port), tls: tls, versions: .http1,
            options: HTTPOriginOptions(
                connectTimeout: configuration.timeout, idleConnections: 1, activeConnections: 2,
                waitingRequests: 1))
    }
}
