package import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
package import TunnelConfiguration
import X509

/// TLS with servers: tunnel servers, or origins. Made once for all that trust the same: the system's roots take a while to
/// read, and memory. They are read when somebody needs them, so a machine that has none does without as long as it can.
package final class ClientTLS: Sendable {
    private let trust: PeerTrust
    private let configuration: TLSConfiguration
    /// Trusted in addition to the system's roots.
    private let ownRoots: [NIOSSLCertificate]
    private let hasSystemRoots: @Sendable () -> Bool
    private let loaded = Mutex<[Kind: NIOSSLContext]>([:])

    private struct Kind: Hashable {
        /// That the certificate is for an address `TLSGate` looks at, as the library would look at the address that was
        /// connected to, which may be a proxy's.
        let isForAddress: Bool
        let offer: ProtocolOffer
    }

    /// - Parameters:
    ///   - identity: what is shown to a server that asks who we are.
    ///   - hasSystemRoots: whether the machine has certificates of authorities; without them only those of the file are
    ///     trusted.
    /// - Throws: when certificates or keys cannot be used.
    package convenience init(
        _ trust: PeerTrust, identity: KeyPair? = nil,
        hasSystemRoots: @escaping @Sendable () -> Bool = { true }
    ) throws(TLSSetupError) {
        let ownRoots: [NIOSSLCertificate]
        do {
            ownRoots = try trust.certificates.map { try NIOSSLCertificate.fromPEMBytes($0.pem) } ?? []
        } catch {
            throw TLSSetupError(certificates: trust.certificates?.path, cause: error)
        }
        self.init(trust, try identity.map(LoadedKeyPair.init), ownRoots, hasSystemRoots)
    }

    /// Trusts the system's roots alone.
    package convenience init() { self.init(PeerTrust(), nil, []) { true } }

    private init(
        _ trust: PeerTrust, _ identity: LoadedKeyPair?, _ ownRoots: [NIOSSLCertificate],
        _ hasSystemRoots: @escaping @Sendable () -> Bool
    ) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if !trust.verifiesChain { configuration.certificateVerification = .none }
        if let identity {
            configuration.certificateChain = identity.chain
            configuration.privateKey = identity.key
        }
        self.ownRoots = ownRoots
        self.trust = trust
        self.configuration = configuration
        self.hasSystemRoots = hasSystemRoots
    }

    /// Reads the system's roots, unless that has been done: not for event loops.
    ///
    /// - Parameters:
    ///   - host: that is to be connected to.
    ///   - offer: what is to be spoken with it.
    /// - Throws: when there is nobody to trust. A later call looks again.
    package func load(for host: String, offering offer: ProtocolOffer = .http1) throws(TLSSetupError) {
        _ = try context(for: expectation(of: host), offer)
    }

    /// What the certificate must be for.
    private struct Expectation {
        let name: String
        let isAddress: Bool
    }

    private func expectation(of host: String) -> Expectation {
        let name = trust.serverName ?? host
        return Expectation(name: name, isAddress: (try? SocketAddress(ipAddress: name, port: 0)) != nil)
    }

    private func known(for expected: Expectation, _ offer: ProtocolOffer) -> NIOSSLContext? {
        loaded.withLock { $0[Kind(isForAddress: expected.isAddress, offer: offer)] }
    }

    private func context(
        for expected: Expectation, _ offer: ProtocolOffer
    ) throws(TLSSetupError) -> NIOSSLContext {
        if let context = known(for: expected, offer) { return context }
        var configuration = configuration
        configuration.applicationProtocols = offer.names
        if !trust.verifiesChain || hasSystemRoots() {
            configuration.additionalTrustRoots = [.certificates(ownRoots)]
        } else if ownRoots.isEmpty {
            throw .noSystemRoots
        } else {
            configuration.trustRoots = .certificates(ownRoots)
        }
        if expected.isAddress, trust.verifiesChain {
            configuration.certificateVerification = .noHostnameVerification
        }
        do {
            let context = try NIOSSLContext(configuration: configuration)
            loaded.withLock { $0[Kind(isForAddress: expected.isAddress, offer: offer)] = context }
            return context
        } catch {
            throw TLSSetupError(certificates: trust.certificates?.path, cause: error)
        }
    }

    /// Makes `addHandlers` ready, off the event loop where anything is to be read. Fails as `load` does.
    package func prepare(
        for host: String, offering offer: ProtocolOffer = .http1, on eventLoop: any EventLoop
    ) -> EventLoopFuture<Void> {
        if known(for: expectation(of: host), offer) != nil { return eventLoop.makeSucceededVoidFuture() }
        return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) {
            try self.load(for: host, offering: offer)
        }
    }

    /// Sets TLS up at the end of a pipeline. Whoever comes behind it is told that the channel is active when the server has
    /// proved who it is, and gets a `TLSFailure` when it has not.
    ///
    /// - Parameters:
    ///   - host: a name or an address: what the certificate must be for, unless another name was configured.
    ///   - patience: for the handshake.
    ///   - offer: what is to be spoken; the server chooses.
    package func addHandlers(
        to pipeline: ChannelPipeline.SynchronousOperations, host: String, patience: TimeAmount,
        offering offer: ProtocolOffer = .http1
    ) throws {
        let expected = expectation(of: host)
        // An address has no name to ask for (RFC 6066 §3).
        try pipeline.addHandlers([
            NIOSSLClientHandler(
                context: context(for: expected, offer),
                serverHostname: expected.isAddress ? nil : expected.name),
            TLSGate(
                to: expected.name, looksAtName: expected.isAddress && trust.verifiesChain, pins: trust.pins,
                patience: patience),
        ])
    }
}

/// What a client offers to speak over TLS, by ALPN (RFC 7301).
package enum ProtocolOffer: Hashable, Sendable {
    /// HTTP/1.1 alone.
    case http1
    /// HTTP/2 alone.
    case http2
    /// Either; HTTP/2 rather.
    case http2OrHTTP1

    fileprivate var names: [String] {
        switch self {
        case .http1: ["http/1.1"]
        case .http2: [Self.http2Name]
        case .http2OrHTTP1: [Self.http2Name, "http/1.1"]
        }
    }

    /// What a server calls HTTP/2 (RFC 9113 §3.1).
    package static let http2Name = "h2"
}
