extension MappingReader {
    /// Decodes `admin`.
    /// - Returns: nil without a usable token; problems are recorded.
    func adminListener() -> AdminConfiguration? {
        let listener = value(Keys.listen)
        let tls = field(Keys.adminTLS).flatMap {
            MappingReader($0, .adminTLS, isOffline: isOffline, pass: pass)
        }
        if self.field(Keys.adminTLS) == nil, !misses(Keys.adminTLS),
            let field = field(Keys.listen.declaration),
            !listener.isLoopback
        {
            pass.warning(
                at: field.place, field.path,
                "the admin API is plain HTTP: who can listen in on \(listener) can take the token",
                advice: "add tls, listen on 127.0.0.1, or let a proxy with TLS stand before it")
        }
        let tokens = adminTokens()
        let names = hostNames(Keys.adminHosts)
        let security = tls?.listenerTLS()
        let clientNames = tls?.adminClientNames() ?? []
        guard tokens.contains(where: { $0 != nil }) else { return nil }
        // Without what was asked for it must not be opened.
        guard tls == nil || security != nil else { return nil }
        return AdminConfiguration(
            host: listener.host, port: listener.port, token: tokens[0], operateToken: tokens[1],
            lookToken: tokens[2], names: Set(names), tls: security, clientNames: Set(clientNames))
    }

    /// What callers bring: as long and as plain as a rendezvous token. Of who may do everything first.
    private func adminTokens() -> [Secret?] {
        let keys = [Keys.token, Keys.operateToken, Keys.lookToken]
        let present = keys.filter { !keysPresent(inGroup: $0.literal.name).isEmpty }
        if present.isEmpty, !keys.contains(where: { misses($0.literal) }) { reportMissingToken() }
        var taken: [(name: String, secret: Secret)] = []
        return keys.map { key in
            guard let found = secret(key), let secret = bearerToken(found) else { return nil }
            if let other = taken.first(where: { $0.secret == secret }) {
                pass.error(
                    at: found.place, found.path, "it is the same as \"\(other.name)\"",
                    advice: "give each role a token of its own")
            }
            taken.append((key.literal.name, secret))
            return secret
        }
    }

    private func adminClientNames() -> [NameGlob] {
        let names = texts(TLSKeys.adminClientNames).map { NameGlob($0.text.lowercased()) }
        if let field = field(TLSKeys.adminClientNames),
            self.field(TLSKeys.clientAuthority.declaration) == nil,
            !misses(TLSKeys.clientAuthority.declaration)
        {
            pass.error(
                at: field.place, field.path, "nobody is asked for a certificate",
                advice: "name the authority's certificate in \"client-ca\"")
        }
        return names
    }
}
