/// TLS at a listener: how it proves who it is, and what it asks its peers for.
package struct ListenerTLS: Hashable, Sendable {
    /// Whether a peer has to show a certificate.
    package enum CertificateDemand: String, CaseIterable, Hashable, Sendable {
        /// It is not asked.
        case none
        /// It may; one that it shows must be good.
        case optional
        case required
    }

    /// The oldest version of TLS that is spoken.
    package enum MinimumVersion: String, CaseIterable, Hashable, Sendable {
        case v12 = "1.2"
        case v13 = "1.3"
    }

    /// The first stands in for names that none of them is for; never empty.
    package var certificates: [ServedCertificate]
    /// Who vouches for the certificates of peers; there where any are asked for.
    package var clientAuthority: CertificateFile?
    /// `client-certificates`: what callers have to show.
    package var callers: CertificateDemand
    /// `tunnel-certificates`: what tunnel clients have to show.
    package var tunnelClients: CertificateDemand
    /// Whether origins are told the name in a caller's certificate.
    package var tellsOrigins: Bool
    package var minimumVersion: MinimumVersion

    package init(
        certificates: [ServedCertificate], clientAuthority: CertificateFile? = nil,
        callers: CertificateDemand = .none, tunnelClients: CertificateDemand = .none,
        tellsOrigins: Bool = false, minimumVersion: MinimumVersion = .v12
    ) {
        self.certificates = certificates
        self.clientAuthority = clientAuthority
        self.callers = callers
        self.tunnelClients = tunnelClients
        self.tellsOrigins = tellsOrigins
        self.minimumVersion = minimumVersion
    }

    /// Whether peers are asked for certificates at all.
    package var asksForCertificates: Bool { callers != .none || tunnelClients != .none }
}

/// A certificate that a listener shows to those who ask for certain names.
package struct ServedCertificate: Hashable, Sendable {
    /// How long before the end of its time a certificate is warned of, in seconds.
    package static let warningTime = 14 * 86_400

    /// Names in lower case, `*.` in front for any one label.
    package var hosts: Set<String>
    package var keyPair: KeyPair

    package init(hosts: Set<String>, keyPair: KeyPair) {
        self.hosts = hosts
        self.keyPair = keyPair
    }
}

/// A certificate with those that vouch for it, and its private key.
package struct KeyPair: Hashable, Sendable {
    /// The certificate itself is the first in it.
    package var chain: CertificateFile
    /// Where the key was read, absolute; for messages.
    package var keyPath: String
    /// What that file held, PEM.
    package var key: Secret
    /// Of a key that is encrypted.
    package var password: Secret?

    package init(chain: CertificateFile, keyPath: String, key: Secret, password: Secret? = nil) {
        self.chain = chain
        self.keyPath = keyPath
        self.key = key
        self.password = password
    }
}

/// A listener that sends people to another one, which speaks TLS.
package struct RedirectListener: Hashable, Sendable {
    /// Of the listener that they are sent to.
    package var port: Int
    /// Of the server, at which it answers health checks.
    package var basePath: String
    /// A folder with what a certificate authority asks for, or nil.
    package var challenges: String?

    package init(port: Int, basePath: String = "", challenges: String? = nil) {
        self.port = port
        self.basePath = basePath
        self.challenges = challenges
    }
}
