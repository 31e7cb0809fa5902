import NIOCore
import NIOSSL

/// TLS towards tunnel servers. Made once for a tunnel: reading roots takes a while.
package struct ClientTLS: Sendable {
    private let context: NIOSSLContext

    /// - Parameters:
    ///   - pem: the text of a PEM file of further trusted roots, or nil.
    ///   - isInsecure: no verification at all.
    ///   - trustsSystem: whether the system's roots are trusted too.
    /// - Throws: NIOSSL's error when the text holds no certificate. Reads the system's roots: not for event loops.
    package init(pem: [UInt8]? = nil, isInsecure: Bool, trustsSystem: Bool = true) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if let pem {
            let roots = try NIOSSLCertificate.fromPEMBytes(pem)
            if trustsSystem {
                configuration.additionalTrustRoots = [.certificates(roots)]
            } else {
                configuration.trustRoots = .certificates(roots)
            }
        }
        if isInsecure { configuration.certificateVerification = .none }
        context = try NIOSSLContext(configuration: configuration)
    }

    /// - Parameter host: what the certificate must be for; an address has no name to ask for (RFC 6066 §3).
    func makeHandler(host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}
