import OriginHTTP
import Synchronization
import TunnelConfiguration
import TunnelTransport

/// Whom to trust over TLS, made once for all tunnels that trust the same: each costs a megabyte, and milliseconds for
/// reading the system's roots.
package final class TrustPool: Sendable {
    private struct Key: Hashable {
        var pem: [UInt8]?
        var isInsecure: Bool
    }

    private struct Shared {
        weak var trust: Trust?
    }

    private let shared = Mutex<[Key: Shared]>([:])

    package init() {}

    /// Equal settings give the same object while somebody has it. Reads the system's roots: not for event loops.
    ///
    /// - Throws: `OriginTLSError` when the certificates cannot be used.
    func trust(_ certificates: CertificateFile?, isInsecure: Bool) throws(OriginTLSError) -> Trust {
        let key = Key(pem: certificates?.pem, isInsecure: isInsecure)
        if let trust = shared.withLock({ $0[key]?.trust }) { return trust }
        let trust = try Trust(certificates, isInsecure: isInsecure)
        return shared.withLock { shared in
            if let faster = shared[key]?.trust { return faster }
            shared = shared.filter { $0.value.trust != nil }
            shared[key] = Shared(trust: trust)
            return trust
        }
    }
}

/// Certificates to trust, for tunnel servers and origins alike.
final class Trust: Sendable {
    let server: ClientTLS
    let origins: OriginTLS

    fileprivate init(_ certificates: CertificateFile?, isInsecure: Bool) throws(OriginTLSError) {
        origins = try OriginTLS(
            pem: certificates?.pem, certfile: certificates?.path, insecure: isInsecure)
        do {
            server = try ClientTLS(pem: certificates?.pem, isInsecure: isInsecure)
        } catch {
            throw OriginTLSError(certfile: certificates?.path, cause: "\(error)")
        }
    }
}
