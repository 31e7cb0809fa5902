import NIOCore
package import NIOSSL
import Synchronization
package import TunnelConfiguration
import X509

/// TLS with those who connect to a listener. Made once for a configuration: sessions that a peer may resume belong to it.
package final class ServerTLS: Sendable {
    /// What it was made of.
    package let configuration: ListenerTLS
    private let context: NIOSSLContext
    /// Those whose time is looked at, and where they were read: all that is shown, and the authority of those that others
    /// show.
    private let watched: [(file: String, certificate: X509Certificate)]

    /// Mozilla's "intermediate" for TLS 1.2: an ephemeral key exchange and authenticated encryption, nothing else. Those of
    /// TLS 1.3 are all of that kind.
    private static let cipherSuites = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ]

    /// - Parameter protocols: by ALPN, the one that is liked best first.
    /// - Throws: when certificates or keys cannot be used.
    package init(_ configuration: ListenerTLS, protocols: [String]) throws(TLSSetupError) {
        self.configuration = configuration
        let identities = try configuration.certificates.map { certificate throws(TLSSetupError) in
            try LoadedKeyPair(certificate.keyPair)
        }
        let files =
            configuration.certificates.map(\.keyPair.chain)
            + [configuration.clientAuthority].compactMap(\.self)
        watched = files.flatMap { file in file.certificates.map { (file.path, $0) } }
        guard let first = identities.first else {
            throw TLSSetupError(description: "there is no certificate")
        }
        var settings = TLSConfiguration.makeServerConfiguration(
            certificateChain: first.chain, privateKey: first.key)
        settings.minimumTLSVersion = configuration.minimumVersion == .v13 ? .tlsv13 : .tlsv12
        settings.cipherSuites = Self.cipherSuites.joined(separator: ":")
        settings.applicationProtocols = protocols
        // Who has heard that we end has little time to say the same: an agent that is to end at once has no more.
        settings.shutdownTimeout = .milliseconds(500)
        if configuration.asksForCertificates, let authority = configuration.clientAuthority {
            do {
                settings.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority.pem))
            } catch {
                throw TLSSetupError(certificates: authority.path, cause: error)
            }
            // Whether one is asked for depends on what the peer wants: that comes later.
            settings.certificateVerification = .optionalVerification
            settings.sendCANameList = true
        }
        if identities.count > 1 {
            let names = CertificateNames(configuration.certificates.map(\.hosts))
            settings.sslContextCallback = { hello, promise in
                let place = hello.serverHostname.flatMap(names.place) ?? 0
                promise.succeed(place == 0 ? .noChanges : identities[place].override)
            }
        }
        do {
            context = try NIOSSLContext(configuration: settings)
        } catch {
            throw TLSSetupError(
                description:
                    "cannot use the certificate in \(configuration.certificates[0].keyPair.chain.path): \(error)"
            )
        }
    }

    /// When the first of them ends, in seconds since 1970; nil where none can be read.
    package var expiry: Int? { watched.map(\.certificate.notAfter).min() }

    /// What is to be said of certificates that end soon, have ended, or do not count yet.
    ///
    /// - Parameter now: seconds since 1970.
    package func warnings(at now: Int) -> [String] {
        watched.compactMap { file, certificate in certificate.warning(in: file, at: now) }
    }

    /// The handler of a connection.
    package func makeHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: context) }
}

extension CertificateFile {
    /// What is to be said of its certificates that end soon, have ended, or do not count yet.
    ///
    /// - Parameter now: seconds since 1970.
    package func warnings(at now: Int) -> [String] {
        certificates.compactMap { $0.warning(in: path, at: now) }
    }

    /// What can be read of it.
    fileprivate var certificates: [X509Certificate] {
        let blocks = (try? PEM.blocks(in: pem)) ?? []
        return blocks.compactMap { try? X509Certificate(der: $0.bytes) }
    }
}

/// A certificate and its key, as the TLS library has them.
struct LoadedKeyPair: Sendable {
    let chain: [NIOSSLCertificateSource]
    let key: NIOSSLPrivateKeySource

    init(_ pair: KeyPair) throws(TLSSetupError) {
        do {
            chain = try NIOSSLCertificate.fromPEMBytes(pair.chain.pem).map { .certificate($0) }
        } catch {
            throw TLSSetupError(certificates: pair.chain.path, cause: error)
        }
        do {
            key = .privateKey(try Self.key(pair))
        } catch {
            throw TLSSetupError(description: "cannot read the private key in \(pair.keyPath): \(error)")
        }
    }

    static func key(_ pair: KeyPair) throws -> NIOSSLPrivateKey {
        let bytes = Array(pair.key.secret.utf8)
        guard let password = pair.password else { return try NIOSSLPrivateKey(bytes: bytes, format: .pem) }
        return try NIOSSLPrivateKey(bytes: bytes, format: .pem) { set in set(password.secret.utf8) }
    }

    var override: NIOSSLContextConfigurationOverride {
        var override = NIOSSLContextConfigurationOverride()
        override.certificateChain = chain
        override.privateKey = key
        return override
    }
}

/// Which of several certificates is shown to who asks for a name.
struct CertificateNames: Sendable {
    private var exact: [String: Int] = [:]
    /// By what follows the first label, with its dot.
    private var wild: [String: Int] = [:]

    /// - Parameter hosts: of each certificate, in lower case; what comes first counts.
    init(_ hosts: [Set<String>]) {
        for (place, hosts) in hosts.enumerated() {
            for host in hosts {
                if host.hasPrefix("*.") {
                    let rest = String(host.dropFirst())
                    wild[rest] = wild[rest] ?? place
                } else {
                    exact[host] = exact[host] ?? place
                }
            }
        }
    }

    /// - Returns: nil where none is for the name.
    func place(of name: String) -> Int? {
        var name = name.lowercased()
        if name.last == "." { name.removeLast() }
        if let place = exact[name] { return place }
        guard let dot = name.firstIndex(of: "."), dot > name.startIndex else { return nil }
        return wild[String(name[dot...])]
    }
}

/// TLS of listeners, made once for all that want the same, while one of them has it.
package final class ServerTLSPool: Sendable {
    private struct Shared {
        weak var tls: ServerTLS?
    }

    private let shared = Mutex<[ListenerTLS: Shared]>([:])

    package init() {}

    /// - Throws: when certificates or keys cannot be used.
    package func tls(_ configuration: ListenerTLS) throws(TLSSetupError) -> ServerTLS {
        let known = shared.withLock { shared in
            // Keys that nobody uses any more do not stay.
            shared = shared.filter { $0.value.tls != nil }
            return shared[configuration]?.tls
        }
        if let known { return known }
        let tls = try ServerTLS(configuration, protocols: ["h2", "http/1.1"])
        shared.withLock { $0[configuration] = Shared(tls: tls) }
        return tls
    }
}

extension X509Certificate {
    /// - Returns: nil where it is good for a while.
    fileprivate func warning(in file: String, at now: Int) -> String? {
        let whose = "the certificate of \(subject) in \(file)"
        let end = CalendarDate.text(notAfter)
        switch validity(at: now) {
        case .expired: return "\(whose) expired on \(end): renew it"
        case .notYet: return "\(whose) is good from \(CalendarDate.text(notBefore)) on only"
        case .valid:
            return notAfter - now < ServedCertificate.warningTime
                ? "\(whose) expires on \(end): renew it" : nil
        }
    }
}
