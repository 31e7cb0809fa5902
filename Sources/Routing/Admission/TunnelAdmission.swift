package import HTTPMessage
package import TunnelConfiguration
package import TunnelProtocol

/// Whether a tunnel client may open a session: the checks of its handshake, without I/O.
package struct TunnelAdmission: Sendable {
    private let passwords: [RendezvousToken: Set<Secret>]
    private let onlyListedTokens: Bool
    private let certificateNames: [RendezvousToken: Set<NameGlob>]
    private let needsCertificate: Bool
    private let authority: [UInt8]?

    /// - Parameters:
    ///   - passwords: of the tokens that need one.
    ///   - onlyListedTokens: whether other tokens are refused.
    ///   - certificateNames: of which the client must have one, for tokens for which that is asked.
    ///   - needsCertificate: whether every client has to show one.
    ///   - authority: who has to vouch for it.
    package init(
        passwords: [RendezvousToken: Set<Secret>], onlyListedTokens: Bool = false,
        certificateNames: [RendezvousToken: Set<NameGlob>] = [:], needsCertificate: Bool = false,
        authority: [UInt8]? = nil
    ) {
        self.passwords = passwords
        self.onlyListedTokens = onlyListedTokens
        self.certificateNames = certificateNames
        self.needsCertificate = needsCertificate
        self.authority = authority
    }

    /// A password of this many bytes is one that a program made (`openssl rand -hex 16`): trying finds none.
    private static let generatedLength = 32
    /// With fewer bytes that differ it is not.
    private static let generatedVariety = 8

    /// How a client asks to come in.
    package enum Knock: Sendable {
        case webSocket
        /// By ordinary requests.
        case longPoll
    }

    /// What the client says it may do.
    ///
    /// - Parameter certificate: that it has shown; nil where it has shown none.
    /// - Throws: why that is nothing.
    package static func claim(
        of head: RequestHead, by knock: Knock = .webSocket,
        certificate: TunnelCredentials.Certificate? = nil
    ) throws(AdmissionError) -> TunnelCredentials {
        switch knock {
        case .webSocket: guard head.method == "GET" else { throw .notGET }
        case .longPoll: guard head.method == "POST" else { throw .notPOST }
        }
        guard let text = head.fields[.origin], !text.isEmpty else { throw .tokenMissing }
        let token: RendezvousToken
        do throws(RendezvousTokenError) {
            token = try RendezvousToken(text)
        } catch {
            throw error == .tooShort ? .tokenTooShort : .tokenMalformed
        }
        var claim = TunnelCredentials(token, head.fields)
        claim.certificate = certificate
        return claim
    }

    /// - Parameter isHeldOff: whether too many wrong passwords came before this one. Then it is looked at only if those of
    ///   the token cannot be guessed: else whoever knows the token could shut out all who share his address.
    /// - Throws: why it may not.
    package func check(
        _ claim: TunnelCredentials, of head: RequestHead, by knock: Knock = .webSocket,
        isHeldOff: Bool = false
    ) throws(AdmissionError) {
        // First: who has none has nothing to try passwords with.
        guard isCertificateRight(claim) else {
            throw claim.certificate == nil ? .certificateMissing : .certificateNotAllowed
        }
        if isHeldOff {
            guard !isGuessable(claim.token), isPasswordRight(claim) else { throw .tooManyFailures }
        } else {
            guard isPasswordRight(claim) else { throw .unauthorized }
        }
        guard knock == .longPoll || head.fields.list(.upgrade, contains: "websocket") else {
            throw .notWebSocket
        }
    }

    /// Whether one of a token's passwords is short or simple enough to be found by trying.
    private func isGuessable(_ token: RendezvousToken) -> Bool {
        passwords[token, default: []].contains { password in
            let bytes = password.secret.utf8
            return bytes.count < Self.generatedLength || Set(bytes).count < Self.generatedVariety
        }
    }

    /// Whether no token needs a password.
    package var isOpen: Bool {
        passwords.isEmpty && certificateNames.isEmpty && !onlyListedTokens && !needsCertificate
    }

    /// Whether the token has a password.
    package func lists(_ token: RendezvousToken) -> Bool {
        passwords[token] != nil || certificateNames[token] != nil
    }

    /// Whether any tunnel client may serve the token.
    package func mayBeServed(_ token: RendezvousToken) -> Bool { !onlyListedTokens || lists(token) }

    /// Whether who has shown this may open a session, or keep it.
    package func admits(_ credentials: TunnelCredentials) -> Bool {
        isPasswordRight(credentials) && isCertificateRight(credentials)
    }

    private func isCertificateRight(_ credentials: TunnelCredentials) -> Bool {
        let globs = certificateNames[credentials.token]
        guard let certificate = credentials.certificate, certificate.authority == authority else {
            return !needsCertificate && globs == nil && credentials.certificate == nil
        }
        return globs.map { globs in
            certificate.names.contains { name in globs.contains { $0.matches(name) } }
        } ?? true
    }

    /// A token without a configured password is open to whoever knows it, unless only listed ones are.
    private func isPasswordRight(_ credentials: TunnelCredentials) -> Bool {
        guard let allowed = passwords[credentials.token] else {
            return !onlyListedTokens || certificateNames[credentials.token] != nil
        }
        guard let password = credentials.password?.secret else { return false }
        var isPasswordRight = false
        // No early end: the time must not tell which password came close.
        for secret in allowed where ConstantTime.areEqual(password, secret.secret) { isPasswordRight = true }
        return isPasswordRight
    }
}

/// What a tunnel client brought: kept for as long as its session lasts, as passwords may be withdrawn.
package struct TunnelCredentials: Hashable, Sendable {
    /// A verified certificate.
    package struct Certificate: Hashable, Sendable {
        package let names: Set<String>
        /// Who vouched for it, as the configuration had it.
        package let authority: [UInt8]?

        package init(names: Set<String>, authority: [UInt8]?) {
            self.names = names
            self.authority = authority
        }
    }

    package let token: RendezvousToken
    /// Nil where none came, or one for another user than the token.
    package let password: Secret?
    /// That it has shown; nil where it has shown none.
    package var certificate: Certificate?

    /// - Parameters:
    ///   - authorization: the field's value.
    ///   - aside: that of `X-Tunnel-Authorization`, for clients whose `Authorization` is for a proxy before us.
    package init(_ token: RendezvousToken, authorization: String?, aside: String? = nil) {
        self.token = token
        password = Self.password(of: token, authorization) ?? Self.password(of: token, aside)
    }

    /// - Parameter fields: of the handshake.
    package init(_ token: RendezvousToken, _ fields: HeaderFields) {
        self.init(
            token, authorization: fields[.authorization], aside: fields[.xTunnelAuthorization])
    }

    /// The password in a field's value that names the token as its user.
    private static func password(of token: RendezvousToken, _ value: String?) -> Secret? {
        value.flatMap(BasicAuthorization.decode).flatMap { user, password in
            ConstantTime.areEqual(user, token.secret) ? Secret(password) : nil
        }
    }
}
