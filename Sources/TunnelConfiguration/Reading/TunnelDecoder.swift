import YAMLDocument

extension MappingReader {
    /// Decodes an entry of `tunnels`, or checks the values of `defaults.tunnel`.
    /// - Returns: nil when name, address or token is not usable; other problems are recorded and defaults
    ///   stand in.
    func tunnel(isDefaults: Bool = false) -> TunnelClientConfiguration? {
        if !isDefaults {
            require(
                Keys.name.declaration, advice: "name it; the name is its identity in logs and across reloads")
            require(
                Keys.tunnel.declaration,
                advice: "add the tunnel server's address, such as wss://tunnel.example.com")
            requireTarget()
        }
        let name = value(Keys.name)
        let url = value(Keys.tunnel)
        let origins = origins()
        let care = originCare(origins, isDefaults: isDefaults)
        let origin = origins.first
        let hostPattern = value(Keys.regexp)
        let hostHeader = value(Keys.hostHeader)
        let redirects = value(FieldKeys.redirects)
        let originVersions = value(Keys.originVersions)
        let servesHiddenFiles = value(Keys.hiddenFiles)
        if let credentials = url?.credentials { checkURLSecret(credentials, Keys.tunnel.declaration) }
        if let url { lint(url) }
        lint(hostPattern)
        if !isDefaults { checkVersions(originVersions, origins) }
        checkFolder(origin)
        if !isDefaults, servesHiddenFiles { requireFolder(origin) }
        let proxyHeader = sentHeader(origin)
        let trust = peerTrust()
        let innerTrust = innerTrust()
        let originTrust = originTrust()
        let identity = keyPair(TLSKeys.clientCertificate, TLSKeys.clientKey, TLSKeys.clientKeyPassword)
        if !isDefaults, !trust.isInsecure, field(Keys.certFile.declaration) == nil {
            requireRoots(trust.pins.isEmpty ? url : nil, origins, originTrust)
        }
        if !isDefaults, let url { warnOfUnusedTLS(url) }
        let hosts = wantedHosts()
        let read = tokenAndPasswords(needsPassword: false, isDefaults: isDefaults)
        let connections = value(Keys.connections)
        let protocolChoice = value(Keys.protocol)
        let transport = value(Keys.transport)
        let websocketRetry = value(Keys.websocketRetry)
        if !isDefaults { checkCarrier(transport, protocolChoice) }
        let timeout = value(Keys.timeout)
        let proxy = proxy(for: url)
        let clientPorts = clientPorts()
        let statusFile = resolvedPath(Keys.statusFile)
        if let statusFile { checkFolder(of: statusFile, Keys.statusFile.declaration) }
        let longestRetryDelay = value(Keys.reconnectDelay)
        let maxRetries = value(Keys.maxRetries)
        let isRequired = value(Keys.required)
        guard let name, let url, let token = read.token else { return nil }
        var configuration = TunnelClientConfiguration(
            name: name, tunnel: url, origin: origin, hostPattern: hostPattern, hostHeader: hostHeader,
            redirects: redirects,
            originVersions: originVersions, servesHiddenFiles: servesHiddenFiles, hosts: hosts,
            proxyHeader: proxyHeader,
            token: token,
            password: read.passwords.first,
            connections: connections, protocol: protocolChoice, transport: transport,
            websocketRetry: websocketRetry, timeout: timeout,
            trust: trust, innerTrust: innerTrust, identity: identity?.pair, originTrust: originTrust,
            proxy: proxy,
            clientPorts: clientPorts,
            statusFile: statusFile, longestRetryDelay: longestRetryDelay,
            maxRetries: maxRetries == 0 ? nil : maxRetries)
        configuration.origins = origins
        configuration.isRequired = isRequired
        (configuration.balance, configuration.health) = care
        return configuration
    }

    private func checkVersions(
        _ versions: TunnelClientConfiguration.OriginVersions, _ origins: [OriginTarget]
    ) {
        guard versions == .http1, origins.contains(where: \.isHTTP2),
            let field = field(Keys.server.declaration)
        else { return }
        pass.error(
            at: field.place, field.path, "h2c:// is HTTP/2, which \"http: 1.1\" excludes",
            advice: "write http://, or remove http")
    }

    private func requireTarget() {
        guard field(Keys.server.declaration) == nil, field(Keys.regexp.declaration) == nil,
            !misses(Keys.server.declaration), !misses(Keys.regexp.declaration)
        else { return }
        pass.error(
            at: place, path, "neither \"server\" nor \"regexp\" is set, so no request could go anywhere",
            advice: "add server: http://localhost:8080, or a regexp of the X-Host values to allow")
    }

    /// The proxy that the key names, or else the environment.
    private func proxy(for url: TunnelURL?) -> ProxyURL? {
        switch value(Keys.proxy) {
        case .direct: return nil
        case .proxy(let proxy):
            if let credentials = proxy.credentials { checkURLSecret(credentials, Keys.proxy.declaration) }
            return proxy
        case .environment:
            guard let url, !isOffline else { return nil }
            do {
                return try EnvironmentProxy.proxy(
                    forHost: url.host, port: url.port, variable: pass.source.environmentVariable,
                    warn: { pass.warning(at: place, "\(path).proxy", $0.message, advice: $0.advice) })
            } catch {
                pass.error(at: place, "\(path).proxy", error.message, advice: error.advice)
                return nil
            }
        }
    }

    private func clientPorts() -> [ClosedRange<Int>] {
        guard let field = field(Keys.clientPorts) else { return [] }
        let items = field.node.sequence ?? [field.node]
        if items.isEmpty {
            pass.error(
                at: field.place, field.path, "the list is empty",
                advice: "give ports, or remove the key for any port")
        }
        return items.flatMap { item -> [ClosedRange<Int>] in
            guard let text = text(of: field.item(item))?.text else { return [] }
            do throws(ValueFault) {
                return try ClientPortsText.parse(text)
            } catch {
                pass.error(
                    at: SourcePlace(field.file, item.mark), field.path, error.message, advice: error.advice)
                return []
            }
        }
    }

    private func checkURLSecret(_ credentials: BasicCredentials, _ key: KeyDeclaration) {
        guard let field = field(key) else { return }
        checkPlaceholder(credentials.password.secret, at: field.place, field.path)
        guard field.file.isWorldReadable, let written = field.node.scalar?.text, !written.contains("${")
        else { return }
        pass.warning(
            at: field.place, field.path,
            "a secret stands in a file that every user of this machine can read",
            advice: "chmod o-r the file, or write the password as ${VARIABLE}")
    }

    private func lint(_ url: TunnelURL) {
        guard url.basePath.hasSuffix(TunnelURL.endpoint), let field = field(Keys.tunnel.declaration) else {
            return
        }
        pass.warning(
            at: field.place, field.path,
            "the path ends in \(TunnelURL.endpoint), which is added to it anyway",
            advice: "leave it out, unless the server's base-path ends so")
    }

    private func lint(_ pattern: HostPattern?) {
        guard let pattern, let field = field(Keys.regexp.declaration) else { return }
        for fault in pattern.lint() {
            pass.warning(at: field.place, field.path, fault.message, advice: fault.advice)
        }
    }

    /// Told once: what helps one entry helps all.
    private func requireRoots(_ url: TunnelURL?, _ origins: [OriginTarget], _ trusts: [OriginTrust]) {
        guard !isOffline else { return }
        let key: KeyDeclaration
        if url?.isSecure == true {
            key = Keys.tunnel.declaration
        } else if origins.contains(where: { origin in
            guard case .web(let origin) = origin, origin.isSecure else { return false }
            return !trusts.contains { $0.holds(for: origin.host) }
        }) {
            key = Keys.server.declaration
        } else {
            return
        }
        guard let field = field(key), pass.isFirstToMissRoots() else { return }
        pass.error(
            at: field.place, field.path,
            "no certificate can be verified: this machine has none of the authorities' to trust",
            advice: "install ca-certificates, or name a certfile")
    }

    /// What is said of the server's TLS, where none is spoken with it.
    private func warnOfUnusedTLS(_ url: TunnelURL) {
        guard !url.isSecure else { return }
        let keys = [
            TLSKeys.pins, TLSKeys.serverName.declaration, TLSKeys.clientCertificate.declaration,
        ]
        for key in keys {
            guard let field = field(key), field.path.hasPrefix(path) else { continue }
            pass.warning(
                at: field.place, field.path, "\"\(key.name)\" has no effect: \"tunnel\" speaks no TLS",
                advice: "write wss:// in \"tunnel\", or remove it")
        }
    }

    /// Hidden files are those of a folder that is served.
    private func requireFolder(_ origin: OriginTarget?) {
        guard let field = field(Keys.hiddenFiles.declaration), field.path.hasPrefix(path),
            origin != nil || self.field(Keys.server.declaration) == nil
        else { return }
        if case .folder = origin { return }
        pass.warning(
            at: field.place, field.path,
            "\"hidden-files\" has no effect: \"server\" is no file:///folder",
            advice: "remove it, or name a folder in \"server\"")
    }

    private func checkFolder(_ origin: OriginTarget?) {
        guard case .folder(let path) = origin, !isOffline,
            let field = field(Keys.server.declaration)
        else { return }
        switch pass.source.kind(ofPath: path) {
        case .folder: return
        case .missing:
            pass.error(
                at: field.place, field.path, "the folder \(Quotation.of(path)) does not exist",
                advice: "create it or correct the path")
        case .file, .other:
            pass.error(
                at: field.place, field.path, "\(Quotation.of(path)) is no folder", advice: "name a folder"
            )
        }
    }
}
