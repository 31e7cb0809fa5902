import Synchronization
import TransportSecurity
import TunnelConfiguration

/// TLS with servers, made once for all tunnels that trust the same: each costs a megabyte, and milliseconds for reading
/// the system's roots.
package final class TrustPool: Sendable {
    private struct Key: Hashable {
        var trust: PeerTrust
        var identity: KeyPair?
    }

    private struct Shared {
        weak var tls: ClientTLS?
    }

    private let shared = Mutex<[Key: Shared]>([:])
    private let hasSystemRoots: @Sendable () -> Bool

    /// - Parameter hasSystemRoots: whether the machine has certificates of authorities; asked where TLS needs them.
    package init(hasSystemRoots: @escaping @Sendable () -> Bool = { true }) {
        self.hasSystemRoots = hasSystemRoots
    }

    /// Equal settings give the same object while somebody has it.
    ///
    /// - Throws: when certificates or keys cannot be used.
    func tls(_ trust: PeerTrust, identity: KeyPair? = nil) throws(TLSSetupError) -> ClientTLS {
        let key = Key(trust: trust, identity: identity)
        if let tls = shared.withLock({ $0[key]?.tls }) { return tls }
        let tls = try ClientTLS(trust, identity: identity, hasSystemRoots: hasSystemRoots)
        return shared.withLock { shared in
            if let faster = shared[key]?.tls { return faster }
            shared = shared.filter { $0.value.tls != nil }
            shared[key] = Shared(tls: tls)
            return tls
        }
    }
}
