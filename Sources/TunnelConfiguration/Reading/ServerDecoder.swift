import TunnelProtocol
import YAMLDocument

extension MappingReader {
    /// Decodes an entry of `servers`, or checks the values of `defaults.server`.
    /// - Returns: the server, and the listener that sends people to it, if there is one; nothing when it has no usable
    ///   name; other problems are recorded and defaults stand in.
    func servers(isDefaults: Bool = false) -> [ServerConfiguration] {
        if !isDefaults {
            require(
                Keys.name.declaration, advice: "name it; the name is its identity in logs and across reloads")
        }
        let name = value(Keys.name)
        let maxClients = value(Keys.maxClientsPerToken)
        let tls = field(Keys.tls).flatMap { MappingReader($0, .tls, isOffline: isOffline, pass: pass) }
        let claims = hostClaims()
        let hasAuthority = isDefaults || tls?.field(TLSKeys.clientAuthority.declaration) != nil
        var listed = listedTokens(claims, hasAuthority: hasAuthority)
        listed.access.everybody = callerRules(hasAuthority: hasAuthority)
        let hosts = listedHosts(hasAuthority: hasAuthority)
        listed.access.names = hosts.rules
        var passwords = listed.passwords
        let more = passwordsFromFile(mayBeEmpty: isDefaults || saysThatThereAreNone)
        for (token, more) in more { passwords[token, default: []].formUnion(more) }
        let proxies = addressRanges(Keys.trustedProxies)
        var server = ServerConfiguration(
            name: name ?? "", host: value(Keys.host), port: value(Keys.port),
            reusePort: value(Keys.reusePort),
            tls: tls?.listenerTLS(isDefaults: isDefaults, isAskedByRules: listed.access.needsCertificates),
            innerCertificate: innerCertificate(), offersLongPoll: value(Keys.longPoll),
            routes: .init(
                basePath: value(Keys.basePath), hosts: hosts.tokens, claims: listed.claims,
                publicURL: value(HostKeys.publicURL), forwarding: value(FieldKeys.forwarding)),
            times: .init(
                keepalive: value(Keys.wsTimeout), stall: value(Keys.httpTimeout),
                queue: value(Keys.queueTimeout)),
            limits: .init(
                waitingPerToken: value(Keys.maxRequestsPerTunnel),
                clientsPerToken: maxClients == 0 ? nil : maxClients,
                requestsPerSession: value(Keys.maxRequestsPerSession),
                sessionsPerToken: value(Keys.maxSessionsPerToken),
                sessionsPerAddress: value(Keys.maxSessionsPerAddress)),
            trust: .init(
                passwords: passwords, onlyListedTokens: value(Keys.onlyListedTokens),
                certificateNames: listed.certificateNames, proxies: proxies,
                proxyHeader: takenHeader(proxies, isDefaults: isDefaults)),
            access: listed.access)
        server.callerLimits = callerLimits()
        server.callerLimits.tokens = listed.limits
        server.callerLimits.names = hosts.limits
        server.bans = banRules()
        if !isDefaults {
            warnWhenNobodyMayConnect()
            refuseNamesWithoutCertificates(tls)
        }
        let ports = portListeners(of: server)
        guard name != nil else { return [] }
        return [server] + (tls?.redirectListener(to: server).map { [$0] } ?? []) + ports
    }

    /// Where tunnel clients show no certificates, whoever must have a name in one could never come in.
    private func refuseNamesWithoutCertificates(_ tls: MappingReader?) {
        if let tls, tls.asksForCertificates { return }
        for item in items(Keys.passwordEntries) {
            guard let names = item.node.mapping?.first(where: { $0.key == TLSKeys.clientNames.name }) else {
                continue
            }
            pass.error(
                at: SourcePlace(item.file, names.keyMark), item.path,
                "\"\(TLSKeys.clientNames.name)\" is asked for, but tunnel clients show no certificates",
                advice: "add tls: { client-ca: … }, or remove it")
        }
    }

    /// What the entries of `passwords` say of their tokens.
    private struct ListedTokens {
        var passwords: [RendezvousToken: Set<Secret>] = [:]
        var certificateNames: [RendezvousToken: Set<NameGlob>] = [:]
        /// With those of the tokens.
        var claims: HostClaimRules?
        var access = CallerAccess()
        var limits: [RendezvousToken: RequestLimits] = [:]
    }

    /// - Parameters:
    ///   - claims: of the server.
    ///   - hasAuthority: whether somebody vouches for the certificates of callers.
    private func listedTokens(_ claims: HostClaimRules?, hasAuthority: Bool) -> ListedTokens {
        var listed = ListedTokens(claims: claims)
        let onlyListed = value(Keys.onlyListedTokens)
        var lines: [RendezvousToken: Int] = [:]
        for item in items(Keys.passwordEntries) {
            guard let entry = MappingReader(item, .passwordEntry, isOffline: isOffline, pass: pass)
            else { continue }
            let isNamed = entry.field(TLSKeys.clientNames) != nil
            let globs = entry.texts(TLSKeys.clientNames).map { NameGlob($0.text.lowercased()) }
            // One that only says who may call lets nobody in who could not come in without it.
            let hasRules = entry.field(CallerKeys.callers) != nil
            let rules = entry.callerRules(hasAuthority: hasAuthority)
            let ofToken = entry.requestLimits(LimitKeys.tokenLimits)
            let read = entry.tokenAndPasswords(
                needsPassword: !isNamed && (!hasRules || onlyListed), isDefaults: false)
            let ownClaims = entry.claimsOfToken(claims)
            guard let token = read.token, let source = read.tokenSource else { continue }
            if let line = lines[token] {
                pass.error(
                    at: source.place, source.path, "the token is the same as in the entry at line \(line)",
                    advice: "put both passwords into one entry, under \"passwords\"")
            }
            lines[token] = item.node.mark.line
            listed.limits[token] = ofToken
            if isNamed { listed.certificateNames[token, default: []].formUnion(globs) }
            listed.access.tokens[token] = rules
            if !(isNamed || hasRules) || !read.passwords.isEmpty {
                listed.passwords[token, default: []].formUnion(read.passwords)
            }
            if let ownClaims { listed.claims?.tokens[token] = ownClaims }
        }
        return listed
    }

    /// `passwords: []`: on purpose, tokens need none.
    private var saysThatThereAreNone: Bool { field(Keys.passwordEntries)?.node.sequence?.isEmpty == true }

    private func warnWhenNobodyMayConnect() {
        let isListed = field(Keys.passwordEntries) != nil || field(Keys.passwordsFile.declaration) != nil
        guard value(Keys.onlyListedTokens),
            !isListed || saysThatThereAreNone && field(Keys.passwordsFile.declaration) == nil,
            let field = field(Keys.onlyListedTokens.declaration)
        else { return }
        pass.warning(
            at: field.place, field.path, "no token is listed, so no tunnel client may connect",
            advice: "add \"passwords\" or \"passwords-file\"")
    }

    /// `token:password`, a line each; empty lines and lines that start with `#` are skipped. Two lines with
    /// one token: either password is good.
    ///
    /// - Parameter mayBeEmpty: else a file without any line is an error: one that is cut off, or not written yet, would
    ///   open every token.
    private func passwordsFromFile(mayBeEmpty: Bool) -> [RendezvousToken: Set<Secret>] {
        guard let field = field(Keys.passwordsFile.declaration), let path = value(Keys.passwordsFile),
            !isOffline
        else { return [:] }
        let resolved = field.file.resolve(path)
        guard let bytes = secretBytes(at: resolved, field, sizeLimit: LoadingPass.passwordsSizeLimit) else {
            return [:]
        }
        let errors = pass.errorCount
        let passwords = passwords(in: bytes, resolved, field)
        if passwords.isEmpty, !mayBeEmpty, pass.errorCount == errors {
            pass.error(
                at: field.place, field.path,
                "\(Quotation.of(resolved)) holds no token:password, so no token would need a password",
                advice: "put a line into it, or take the key out")
        }
        return passwords
    }

    private func passwords(in bytes: [UInt8], _ file: String, _ field: Field) -> [RendezvousToken: Set<
        Secret
    >] {
        var passwords: [RendezvousToken: Set<Secret>] = [:]
        let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let content = line.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
            if content.isEmpty || content.first == UInt8(ascii: "#") { continue }
            let place = SourcePlace(SourceFile(path: file), YAMLMark(line: index + 1, column: 1))
            do throws(ValueFault) {
                let (token, password) = try Self.pair(in: line)
                checkPlaceholder(token.secret, at: place, field.path)
                checkPlaceholder(password, at: place, field.path)
                passwords[token, default: []].insert(Secret(password))
            } catch {
                pass.error(at: place, field.path, error.message, advice: error.advice)
            }
        }
        return passwords
    }

    /// Reads `token:password`.
    private static func pair(
        in line: ArraySlice<UInt8>
    ) throws(ValueFault) -> (RendezvousToken, password: String) {
        guard let text = String(validating: line, as: UTF8.self), let colon = text.firstIndex(of: ":") else {
            throw ValueFault(
                "the line is no token:password in UTF-8", advice: "write token:password, or # for a comment")
        }
        guard !text[text.index(after: colon)...].allSatisfy({ $0 == "\r" }) else {
            throw ValueFault("nothing follows the colon", advice: "write token:password")
        }
        let password = try SecretText.cleaned(String(text[text.index(after: colon)...]))
        do {
            return (try RendezvousToken(String(text[..<colon])), password)
        } catch {
            let (message, advice) = error.explanation(for: String(text[..<colon]))
            throw ValueFault(message, advice: advice)
        }
    }
}
