import TunnelProtocol
import YAMLDocument

/// The names by which requests reach tunnels: those that a server lists, and those that it lets tunnel clients have.
extension MappingReader {
    /// What the entries of `hosts` say of their names.
    struct ListedHosts {
        var tokens: [PublicName: RendezvousToken] = [:]
        var rules: [PublicName: CallerRules] = [:]
        var limits: [PublicName: RequestLimits] = [:]
    }

    /// Decodes `hosts` of a server.
    ///
    /// - Parameter hasAuthority: whether somebody vouches for the certificates of callers.
    func listedHosts(hasAuthority: Bool) -> ListedHosts {
        var listed = ListedHosts()
        var lines: [PublicName: Int] = [:]
        for item in items(Keys.hosts) {
            guard let entry = MappingReader(item, .hostEntry, isOffline: isOffline, pass: pass)
            else { continue }
            entry.require(
                HostKeys.host.declaration, advice: "add the Host of the requests, such as www.example.com")
            let host = entry.value(HostKeys.host)
            let path = entry.value(HostKeys.path)
            let token = entry.tokenAlone()
            let rules = entry.callerRules(hasAuthority: hasAuthority)
            let limits = entry.requestLimits(LimitKeys.nameLimits)
            guard let host else { continue }
            let name = PublicName(host: host, path: path)
            if let line = lines[name] {
                let field = entry.field(HostKeys.host.declaration)
                let isPathless = path.isEmpty
                pass.error(
                    at: field?.place ?? entry.place, field?.path ?? entry.path,
                    "\(Quotation.of(name.description)) is already the \(isPathless ? "host" : "host and path") of the "
                        + "entry at line \(line)",
                    advice: "keep one of them: a host goes to one token, or each \"path\" of it to one")
                continue
            }
            lines[name] = item.node.mark.line
            listed.tokens[name] = token
            if let rules { listed.rules[name] = rules }
            if let limits { listed.limits[name] = limits }
        }
        return listed
    }

    /// Decodes `host-claims` of a server.
    ///
    /// - Returns: nil where no name may be claimed.
    func hostClaims() -> HostClaimRules? {
        guard let field = field(HostKeys.claims),
            let reader = MappingReader(field, .hostClaims, isOffline: isOffline, pass: pass)
        else { return nil }
        if reader.field(HostKeys.allow) == nil {
            reader.require(
                HostKeys.domain.declaration,
                advice: "add the domain below which names may be claimed, such as tunnel.example.com")
        }
        let domain = reader.value(HostKeys.domain)
        var rules = HostClaimRules(
            domain: domain,
            allowed: reader.globs(HostKeys.allow, domain) ?? Set(domain.map { [HostGlob("*.\($0)")] } ?? []),
            reserved: reader.globs(HostKeys.reserved, domain) ?? [])
        if let most = reader.value(HostKeys.perToken) { rules.most = most }
        return rules
    }

    /// Decodes `host-claims` of an entry of `passwords`.
    ///
    /// - Parameter rules: of the server.
    func claimsOfToken(_ rules: HostClaimRules?) -> HostClaimRules.OfToken? {
        guard let field = field(HostKeys.claimsOfToken),
            let reader = MappingReader(field, .tokenHostClaims, isOffline: isOffline, pass: pass)
        else { return nil }
        guard let rules else {
            pass.error(
                at: SourcePlace(field.file, field.keyMark), field.path,
                "the server has no \"host-claims\", so no tunnel client gets a name",
                advice: "add host-claims: { domain: … } to the server, or remove it")
            return nil
        }
        return HostClaimRules.OfToken(
            allowed: reader.globs(HostKeys.allow, rules.domain), most: reader.value(HostKeys.perToken))
    }

    /// - Returns: nil where the key is absent.
    private func globs(_ key: KeyDeclaration, _ domain: String?) -> Set<HostGlob>? {
        guard field(key) != nil else { return nil }
        var globs: Set<HostGlob> = []
        for (text, field) in texts(key) {
            do throws(ValueFault) {
                globs.insert(try TextRule.hostGlob(text, domain: domain))
            } catch {
                pass.error(at: field.place, field.path, error.message, advice: error.advice)
            }
        }
        return globs
    }

    /// Decodes `hosts` of a tunnel: in the order of the file, each once.
    func wantedHosts() -> [String] {
        var hosts: [String] = []
        for (text, field) in texts(HostKeys.wanted) {
            guard text != "*", !text.hasPrefix("*.") else {
                pass.error(
                    at: field.place, field.path, "a tunnel client gets no pattern of names",
                    advice: "write each name, or let the server list \(Quotation.of(text)) in its own hosts")
                continue
            }
            do throws(ValueFault) {
                let host = try TextRule.requestHost(text)
                if !hosts.contains(host) { hosts.append(host) }
            } catch {
                pass.error(at: field.place, field.path, error.message, advice: error.advice)
            }
        }
        if hosts.count > TunnelClientConfiguration.mostHosts, let field = field(HostKeys.wanted) {
            pass.error(
                at: field.place, field.path,
                "a tunnel asks for \(TunnelClientConfiguration.mostHosts) names at most",
                advice: "remove some")
        }
        return hosts
    }
}
