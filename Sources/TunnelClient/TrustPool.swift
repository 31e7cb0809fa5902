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
    private let hasSystemRoots: @Sendable () -> Bool

    /// - Parameter hasSystemRoots: whether the machine has certificates of authorities; asked where TLS needs them.
    package init(hasSystemRoots: @escaping @Sendable () -> Bool = { true }) {
        self.hasSystemRoots = hasSystemRoots
    }

    /// Equal settings give the same object while somebody has it.
    ///
    /// - Throws: `OriginTLSError` when the certificates cannot be used.
    func trust(_ certificates: CertificateFile?, isInsecure: Bool) throws(OriginTLSError) -> Trust {
        let key = Key(pem: certificates?.pem, isInsecure: isInsecure)
        if let trust = shared.withLock({ $0[key]?.trust }) { return trust }
        let trust = try Trust(certificates, isInsecure: isInsecure, hasSystemRoots)
        return shared.withLock { shared in
            if let faster = shared[key]?.trust { return faster }
            shared = shared.filter { $0.value.trust != nil }
            shared[key] = Shared(trust: trust)
            return trust
        }
    }
}

/// Certificates to trust, for tunnel servers and origins alike. The system's are read where TLS needs them.
final class Trust: Sendable {
    let origins: OriginTLS
    private let certificates: CertificateFile?
    private let isInsecure: Bool
    private let hasSystemRoots: @Sendable () -> Bool
    private let madeServer = Mutex<ClientTLS?>(nil)

    /// - Throws: `OriginTLSError` when the file holds no certificate.
    fileprivate init(
        _ certificates: CertificateFile?, isInsecure: Bool, _ hasSystemRoots: @escaping @Sendable () -> Bool
    ) throws(OriginTLSError) {
        origins = try OriginTLS(
            pem: certificates?.pem, certfile: certificates?.path, insecure: isInsecure,
            hasSystemRoots: hasSystemRoots)
        self.certificates = certificates
        self.isInsecure = isInsecure
        self.hasSystemRoots = hasSystemRoots
    }

    /// For tunnel servers. Reads the system's roots: not for event loops.
    ///
    /// - Throws: `OriginTLSError` when there is nobody to trust.
    func server() throws(OriginTLSError) -> ClientTLS {
        if let made = madeServer.withLock({ $0 }) { return made }
        let trustsSystem = isInsecure || hasSystemRoots()
        guard trustsSystem || certificates != nil else { throw .noSystemRoots }
        do {
            let made = try ClientTLS(
                pem: certificates?.pem, isInsecure: isInsecure, trustsSystem: trustsSystem)
            madeServer.withLock { $0 = made }
            return made
        } catch {
            throw OriginTLSError(certfile: certificates?.path, cause: "\(error)")
        }
    }
}
