package import NIOSSL

/// TLS towards tunnel servers.
package enum ClientTLS {
    /// A context with the system's roots.
    ///
    /// - Parameters:
    ///   - certFile: PEM file of further trusted roots, or nil.
    ///   - isInsecure: no verification at all.
    /// - Throws: NIOSSL's error when the file cannot be read or holds no certificate.
    package static func makeContext(certFile: String?, isInsecure: Bool) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.applicationProtocols = ["http/1.1"]
        if let certFile {
            configuration.additionalTrustRoots = [
                .certificates(try NIOSSLCertificate.fromPEMFile(certFile))
            ]
        }
        if isInsecure { configuration.certificateVerification = .none }
        return try NIOSSLContext(configuration: configuration)
    }
}
