package import HTTPMessage
package import TunnelProtocol

/// What a mapping `callers` says of those who may call: of a server, of a token, or of a host name.
package struct CallerRules: Hashable, Sendable {
    /// Who has to say who he is.
    package enum Login: Hashable, Sendable {
        /// `anonymous: true`: nobody, whatever wider rules say.
        case anonymous
        /// Whoever is one of these users, or has one of these secrets.
        case listed(users: [String: PasswordHash], bearers: Set<Secret>)
    }

    /// Whether a caller shows a certificate.
    package enum CertificateRule: Hashable, Sendable {
        /// It need not, whatever wider rules say.
        case none
        /// One with one of these names; any where there are none.
        case required(names: Set<NameGlob>)
    }

    /// An answer in place of the tunnel's.
    package enum Maintenance: Hashable, Sendable {
        /// `maintenance: false`: none, whatever wider rules say.
        case off
        case on(MaintenanceAnswer)
    }

    /// Where callers may come from, or nil for anywhere. Checked beside what wider rules say.
    package var allowed: [AddressRange]?
    /// Where they may not, whatever `allowed` says.
    package var denied: [AddressRange]
    /// Nil: as wider rules say. So are those below.
    package var login: Login?
    package var certificate: CertificateRule?
    /// `GET` brings `HEAD` along.
    package var methods: Set<String>?
    /// Longest body of a request, in bytes.
    package var maximumBody: Int?
    /// Whether a request gets an `X-Request-Id`.
    package var hasRequestID: Bool?
    package var maintenance: Maintenance?
    /// Done behind what wider rules say.
    package var requestFields: FieldChanges
    package var responseFields: FieldChanges

    package init(
        allowed: [AddressRange]? = nil, denied: [AddressRange] = [], login: Login? = nil,
        certificate: CertificateRule? = nil, methods: Set<String>? = nil, maximumBody: Int? = nil,
        hasRequestID: Bool? = nil, maintenance: Maintenance? = nil,
        requestFields: FieldChanges = FieldChanges(), responseFields: FieldChanges = FieldChanges()
    ) {
        self.allowed = allowed
        self.denied = denied
        self.login = login
        self.certificate = certificate
        self.methods = methods
        self.maximumBody = maximumBody
        self.hasRequestID = hasRequestID
        self.maintenance = maintenance
        self.requestFields = requestFields
        self.responseFields = responseFields
    }

    /// Whether TLS has to ask callers for certificates.
    package var needsCertificate: Bool {
        if case .required = certificate { return true }
        return false
    }
}

/// What callers get while a tunnel is being worked on.
package struct MaintenanceAnswer: Hashable, Sendable {
    /// A file to show.
    package struct Page: Hashable, Sendable {
        /// Absolute, or as the configuration has it.
        package let path: String
        package let text: String

        package init(path: String, text: String) {
            self.path = path
            self.text = text
        }

        /// What its name says that it is.
        package var type: OwnAnswer.MediaType {
            let name = path.lowercased()
            if name.hasSuffix(".html") || name.hasSuffix(".htm") { return .html }
            return name.hasSuffix(".json") ? .json : .plainText
        }
    }

    /// 400 to 599.
    package var status: Int
    /// Nil for a line of our own.
    package var page: Page?
    /// When trying again makes sense, as callers are told; nil where nobody knows.
    package var retryAfter: Duration?

    package init(status: Int = 503, page: Page? = nil, retryAfter: Duration? = nil) {
        self.status = status
        self.page = page
        self.retryAfter = retryAfter
    }
}

/// All that a server says of its callers.
package struct CallerAccess: Hashable, Sendable {
    /// The server's own rules.
    package var everybody: CallerRules?
    package var tokens: [RendezvousToken: CallerRules]
    /// Of requests that name their token by these entries of `hosts`.
    package var names: [PublicName: CallerRules]

    package init(
        everybody: CallerRules? = nil, tokens: [RendezvousToken: CallerRules] = [:],
        names: [PublicName: CallerRules] = [:]
    ) {
        self.everybody = everybody
        self.tokens = tokens
        self.names = names
    }

    /// Whether TLS has to ask callers for certificates.
    package var needsCertificates: Bool {
        everybody?.needsCertificate == true || tokens.values.contains(where: \.needsCertificate)
            || names.values.contains(where: \.needsCertificate)
    }
}
