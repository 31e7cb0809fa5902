package import HTTPMessage
package import TunnelConfiguration
package import TunnelProtocol

/// Whether a tunnel client may open a session: the checks of its handshake, without I/O.
package struct TunnelAdmission: Sendable {
    private let passwords: [RendezvousToken: Set<Secret>]

    package init(passwords: [RendezvousToken: Set<Secret>]) {
        self.passwords = passwords
    }

    /// - Throws: the answer for a client that may not.
    package func token(of head: RequestHead) throws(Refusal) -> RendezvousToken {
        guard head.method == "GET" else { throw .notGET }
        guard let text = head.fields[.origin], !text.isEmpty else { throw .originMissing }
        let token: RendezvousToken
        do throws(RendezvousTokenError) {
            token = try RendezvousToken(text)
        } catch {
            throw error == .tooShort ? .tokenTooShort : .tokenMalformed
        }
        guard isAuthorized(token, head.fields[.authorization]) else { throw .unauthorized }
        guard head.fields.list(.upgrade, contains: "websocket") else { throw .notWebSocket }
        return token
    }

    /// A token without a configured password is open to whoever knows it.
    private func isAuthorized(_ token: RendezvousToken, _ authorization: String?) -> Bool {
        guard let allowed = passwords[token] else { return true }
        guard let (user, password) = authorization.flatMap(BasicAuthorization.decode) else { return false }
        let isUserRight = ConstantTime.areEqual(user, token.secret)
        var isPasswordRight = false
        // No early end: the time must not tell which password came close.
        for secret in allowed where ConstantTime.areEqual(password, secret.secret) { isPasswordRight = true }
        return isUserRight && isPasswordRight
    }
}
