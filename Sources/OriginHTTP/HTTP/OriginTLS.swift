import NIOSSL

/// Whom to trust over TLS. Made once and shared by any number of origins: reading the system's roots takes
/// a while and memory.
package struct OriginTLS: Sendable {
    private let context: NIOSSLContext

    /// - Parameters:
    ///   - pem: the text of a PEM file with roots to trust in addition to the system's.
    ///   - certfile: where that was read, for messages.
    ///   - insecure: trust any certificate, for any name.
    /// - Throws: `OriginTLSError` when the text holds no certificate, or the system's roots cannot be read. Reads
    ///   those: not for event loops.
    package init(
        pem: [UInt8]? = nil, certfile: String? = nil, insecure: Bool = false
    ) throws(OriginTLSError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if insecure { configuration.certificateVerification = .none }
        do {
            if let pem {
                let roots = try NIOSSLCertificate.fromPEMBytes(pem)
                configuration.additionalTrustRoots = [.certificates(roots)]
            }
            self.context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw OriginTLSError(certfile: certfile, cause: "\(error)")
        }
    }

    /// - Parameter name: what the certificate must be for; sent to the server. Nil for an IP address.
    func makeHandler(serverName name: String?) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context, serverHostname: name)
    }
}

/// Roots of trust that cannot be used.
package struct OriginTLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The PEM file that was asked for; nil when the system's roots are meant.
    package let certfile: String?
    /// What the TLS library says.
    package let cause: String

    package init(certfile: String?, cause: String) {
        self.certfile = certfile
        self.cause = cause
    }

    package var description: String {
        "cannot read certificates from \(certfile ?? "the system's roots") as PEM: \(cause)"
    }
}
