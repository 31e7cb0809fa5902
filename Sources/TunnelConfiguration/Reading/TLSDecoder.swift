import X509
import YAMLDocument

extension MappingReader {
    /// Decodes `tls` of a server, or of the admin API, to which everybody is a caller.
    ///
    /// - Parameter isAskedByRules: whether some callers have to show a certificate: then all are asked, as TLS comes before
    ///   the request.
    /// - Returns: nil when it is not usable, or nothing is read (offline); problems are recorded.
    func listenerTLS(isDefaults: Bool = false, isAskedByRules: Bool = false) -> ListenerTLS? {
        var certificates: [ServedCertificate] = []
        if let read = keyPair(TLSKeys.certFile, TLSKeys.keyFile, TLSKeys.keyPassword) {
            certificates.append(
                ServedCertificate(hosts: read.certificate?.servedHosts ?? [], keyPair: read.pair))
        }
        var places: [String: Int] = [:]
        for item in items(TLSKeys.certificates) {
            guard let entry = MappingReader(item, .certificate, isOffline: isOffline, pass: pass) else {
                continue
            }
            entry.require(TLSKeys.certFile.declaration, advice: "name the file of the certificate")
            let hosts = entry.hostNames(TLSKeys.certificateHosts)
            for host in hosts {
                if let line = places[host], let field = entry.field(TLSKeys.certificateHosts) {
                    pass.warning(
                        at: field.place, field.path,
                        "\(Quotation.of(host)) is already a host of the entry at line \(line), which counts",
                        advice: "keep one of them")
                }
                places[host] = places[host] ?? item.node.mark.line
            }
            guard let read = entry.keyPair(TLSKeys.certFile, TLSKeys.keyFile, TLSKeys.keyPassword) else {
                continue
            }
            if let certificate = read.certificate { entry.warnOfStrangers(hosts, to: certificate) }
            certificates.append(
                ServedCertificate(
                    hosts: hosts.isEmpty ? read.certificate?.servedHosts ?? [] : Set(hosts),
                    keyPair: read.pair))
        }
        let authority = authorities(TLSKeys.clientAuthority)
        let hasAuthority = field(TLSKeys.clientAuthority.declaration) != nil
        var callers = value(TLSKeys.clientCertificates)
        if isAskedByRules, callers == .none { callers = .optional }
        var tunnelClients = value(TLSKeys.tunnelCertificates) ?? (hasAuthority ? .required : .none)
        if section == .adminTLS { (callers, tunnelClients) = (tunnelClients, .none) }
        if !isDefaults {
            requireParts(
                hasAuthority: hasAuthority, isAsked: callers != .none || tunnelClients != .none)
        }
        let tellsOrigins = value(TLSKeys.tellsOrigins)
        if tellsOrigins, callers == .none, let field = field(TLSKeys.tellsOrigins.declaration) {
            pass.warning(
                at: field.place, field.path, "it has no effect: callers are not asked for certificates",
                advice: "add client-certificates: optional, or remove it")
        }
        let minimumVersion = value(TLSKeys.minimumVersion)
        guard !certificates.isEmpty else { return nil }
        return ListenerTLS(
            certificates: certificates, clientAuthority: authority, callers: callers,
            tunnelClients: tunnelClients, tellsOrigins: tellsOrigins, minimumVersion: minimumVersion)
    }

    /// Whether anybody is asked for a certificate.
    var asksForCertificates: Bool {
        guard field(TLSKeys.clientAuthority.declaration) != nil else { return false }
        return value(TLSKeys.clientCertificates) != .none
            || (value(TLSKeys.tunnelCertificates) ?? .required) != .none
    }

    private func requireParts(hasAuthority: Bool, isAsked: Bool) {
        if field(TLSKeys.certFile.declaration) == nil, field(TLSKeys.certificates) == nil,
            field(TLSKeys.keyFile.declaration) == nil, !misses(TLSKeys.certFile.declaration),
            !misses(TLSKeys.certificates)
        {
            pass.error(
                at: place, path, "there is no certificate",
                advice: "add certfile and keyfile, or certificates")
        }
        if let list = field(TLSKeys.certificates), list.node.sequence?.isEmpty == true,
            field(TLSKeys.certFile.declaration) == nil
        {
            pass.error(at: list.place, list.path, "the list is empty", advice: "give a certificate")
        }
        let demands = [TLSKeys.clientCertificates.declaration, TLSKeys.tunnelCertificates.declaration]
        if !hasAuthority, !misses(TLSKeys.clientAuthority.declaration) {
            for key in demands {
                guard let field = field(key), let demand = field.node.scalar?.text, demand != "none" else {
                    continue
                }
                pass.error(
                    at: field.place, field.path, "nobody is there to vouch for certificates",
                    advice: "name the authority's certificate in \"client-ca\"")
            }
        }
        if hasAuthority, !isAsked, let field = field(TLSKeys.clientAuthority.declaration) {
            pass.warning(
                at: field.place, field.path, "it has no effect: nobody is asked for a certificate",
                advice: "remove it, or one of the keys that say \"none\"")
        }
        if let field = field(TLSKeys.challenges.declaration),
            self.field(TLSKeys.redirectHTTP.declaration) == nil, !misses(TLSKeys.redirectHTTP.declaration)
        {
            pass.error(
                at: field.place, field.path, "nothing listens for what a certificate authority asks",
                advice: "add redirect-http: 80")
        }
    }

    /// The names of a key that takes one or a list, in lower case, `*.` in front for any one label.
    func hostNames(_ key: KeyDeclaration) -> [String] {
        texts(key).compactMap { text, field in
            do throws(ValueFault) {
                return try TextRule.certificateHost(text)
            } catch {
                pass.error(at: field.place, field.path, error.message, advice: error.advice)
                return nil
            }
        }
    }

    private func warnOfStrangers(_ hosts: [String], to certificate: X509Certificate) {
        guard let field = field(TLSKeys.certificateHosts) else { return }
        let names = certificate.names.joined(separator: ", ")
        for host in hosts {
            let example = host.hasPrefix("*.") ? "any" + host.dropFirst() : host
            guard !certificate.isFor(host: example) else { continue }
            pass.warning(
                at: field.place, field.path,
                "the certificate is not for \(Quotation.of(host)), but for \(names)",
                advice: "correct one of the two: callers would not take it")
        }
    }

    /// The listener that sends people to this one's server over TLS.
    func redirectListener(to server: ServerConfiguration) -> ServerConfiguration? {
        guard let port = value(TLSKeys.redirectHTTP) else { return nil }
        if server.port == 0, let field = field(TLSKeys.redirectHTTP.declaration) {
            pass.error(
                at: field.place, field.path,
                "the port that people are sent to is one that the kernel chooses",
                advice: "give the server a port of its own, such as 443")
        }
        guard server.tls != nil else { return nil }
        let challenges = resolvedPath(TLSKeys.challenges)
        if let challenges { checkChallenges(challenges) }
        return ServerConfiguration(
            name: "\(server.name):http", host: server.host, port: port, reusePort: server.reusePort,
            redirect: RedirectListener(
                port: server.port, basePath: server.routes.basePath, challenges: challenges),
            times: server.times,
            trust: .init(proxies: server.trust.proxies, proxyHeader: server.trust.proxyHeader))
    }

    private func checkChallenges(_ folder: String) {
        guard !isOffline, pass.source.kind(ofPath: folder) != .folder,
            let field = field(TLSKeys.challenges.declaration)
        else { return }
        pass.error(
            at: field.place, field.path, "the folder \(Quotation.of(folder)) does not exist",
            advice: "create it or correct the path")
    }

    /// The texts of a key that takes one or a list, with their places; no empty ones.
    func texts(_ key: KeyDeclaration) -> [(text: String, field: Field)] {
        guard let field = field(key) else { return [] }
        let nodes = field.node.sequence ?? [field.node]
        if nodes.isEmpty {
            pass.error(
                at: field.place, field.path, "the list is empty", advice: "give one, or remove the key")
        }
        return nodes.compactMap { node in
            let item = field.item(node)
            guard let text = text(of: item)?.text else { return nil }
            guard !text.isEmpty else {
                pass.error(at: item.place, item.path, "there is no value", advice: "give one")
                return nil
            }
            return (text, item)
        }
    }

    // MARK: Tunnels

    /// Whom a tunnel believes: its server, or an origin.
    func peerTrust() -> PeerTrust {
        let isInsecure = value(Keys.insecure)
        let certificates = authorities(Keys.certFile)
        let pins = Set(
            texts(TLSKeys.pins).compactMap { text, field -> String? in
                let pin = text.hasPrefix("sha256/") ? String(text.dropFirst("sha256/".count)) : text
                if PublicKeyPin.isPin(pin) { return pin }
                pass.error(
                    at: field.place, field.path, "\(Quotation.of(text)) is no SHA-256 in base64",
                    advice: "\"wstunnel pin cert.pem\" prints that of a certificate")
                return nil
            })
        if isInsecure, let field = field(Keys.certFile.declaration) {
            pass.warning(
                at: field.place, field.path,
                "\"certfile\" has no effect beside \"insecure\": no certificate is verified",
                advice: "remove one of the two")
        }
        if isInsecure, !pins.isEmpty, let field = field(Keys.insecure.declaration) {
            pass.warning(
                at: field.place, field.path,
                "\"insecure\" has no effect beside \"pin-sha256\": the key alone counts",
                advice: "remove it")
        }
        return PeerTrust(
            isInsecure: isInsecure, certificates: certificates, pins: pins,
            serverName: value(TLSKeys.serverName))
    }

    /// Whom a tunnel believes among origins, as far as that is said apart from its server.
    func originTrust() -> [OriginTrust] {
        items(TLSKeys.originTLS).compactMap { item in
            guard let entry = MappingReader(item, .originTLS, isOffline: isOffline, pass: pass) else {
                return nil
            }
            return OriginTrust(host: entry.value(TLSKeys.originHost), trust: entry.peerTrust())
        }
    }
}

extension X509Certificate {
    /// What a listener takes it to be for.
    fileprivate var servedHosts: Set<String> { Set(names.map { $0.lowercased() }) }
}
