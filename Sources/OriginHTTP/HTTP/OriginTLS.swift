import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Whom to trust over TLS. Made once and shared by any number of origins: the system's roots take a while to read,
/// and memory. They are read when somebody needs them, so a machine that has none reaches origins over plain HTTP.
package final class OriginTLS: Sendable {
    private let configuration: TLSConfiguration
    /// Trusted in addition to the system's roots.
    private let ownRoots: [NIOSSLCertificate]
    private let certfile: String?
    private let hasSystemRoots: @Sendable () -> Bool
    private let loadedContext = Mutex<NIOSSLContext?>(nil)

    /// - Parameters:
    ///   - pem: the text of a PEM file with roots to trust in addition to the system's.
    ///   - certfile: where that was read, for messages.
    ///   - insecure: trust any certificate, for any name.
    ///   - hasSystemRoots: whether the machine has any; without them only those of the file are trusted.
    /// - Throws: `OriginTLSError` when the text holds no certificate.
    package convenience init(
        pem: [UInt8]? = nil, certfile: String? = nil, insecure: Bool = false,
        hasSystemRoots: @escaping @Sendable () -> Bool = { true }
    ) throws(OriginTLSError) {
        let roots: [NIOSSLCertificate]
        do {
            roots = try pem.map { try NIOSSLCertificate.fromPEMBytes($0) } ?? []
        } catch {
            throw OriginTLSError(certfile: certfile, cause: "\(error)")
        }
        self.init(ownRoots: roots, certfile: certfile, insecure: insecure, hasSystemRoots: hasSystemRoots)
    }

    /// Trusts the system's roots alone.
    package convenience init() {
        self.init(ownRoots: [], certfile: nil, insecure: false) { true }
    }

    private init(
        ownRoots: [NIOSSLCertificate], certfile: String?, insecure: Bool,
        hasSystemRoots: @escaping @Sendable () -> Bool
    ) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if insecure { configuration.certificateVerification = .none }
        self.configuration = configuration
        self.ownRoots = ownRoots
        self.certfile = certfile
        self.hasSystemRoots = hasSystemRoots
    }

    /// Reads the system's roots, unless that has been done: not for event loops.
    ///
    /// - Throws: `OriginTLSError` when there is nobody to trust. A later call looks again.
    package func load() throws(OriginTLSError) { _ = try context() }

    private func context() throws(OriginTLSError) -> NIOSSLContext {
        if let context = loadedContext.withLock({ $0 }) { return context }
        var configuration = configuration
        if configuration.certificateVerification == .none || hasSystemRoots() {
            configuration.additionalTrustRoots = [.certificates(ownRoots)]
        } else if ownRoots.isEmpty {
            throw .noSystemRoots
        } else {
            configuration.trustRoots = .certificates(ownRoots)
        }
        do {
            let context = try NIOSSLContext(configuration: configuration)
            loadedContext.withLock { $0 = context }
            return context
        } catch {
            throw OriginTLSError(certfile: certfile, cause: "\(error)")
        }
    }

    /// Makes `makeHandler` ready, off the event loop where anything is to be read. Fails as `load` does.
    func prepare(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        if loadedContext.withLock({ $0 }) != nil { return eventLoop.makeSucceededVoidFuture() }
        return NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try self.load() }
    }

    /// - Parameter name: what the certificate must be for; sent to the server. Nil for an IP address.
    func makeHandler(serverName name: String?) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: context(), serverHostname: name)
    }
}

/// Roots of trust that cannot be used.
package struct OriginTLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The machine has none, and no file was named.
    package static let noSystemRoots = OriginTLSError(certfile: nil, cause: "there are none")

    /// The PEM file that was asked for; nil when the system's roots are meant.
    package let certfile: String?
    /// What the TLS library says.
    package let cause: String

    package init(certfile: String?, cause: String) {
        self.certfile = certfile
        self.cause = cause
    }

    package var description: String {
        guard let certfile else {
            return
                "cannot use the system's certificates of authorities (\(cause)): install ca-certificates, or name a certfile"
        }
        return "cannot read certificates from \(certfile) as PEM: \(cause)"
    }
}
