import ProxyProtocol
import TunnelProtocol

/// The effective configuration as a `tunnels.yaml`, for people to read.
///
/// Pure. Every key stands there with the value that counts, in the order of the key tables; a key without a value (no
/// `pidfile`, say) does not. Secrets are `***`: with the real ones in their places the text loads to an equal
/// configuration.
package enum ConfigurationRendering {
    /// - Returns: the whole text. Entries are in their order; a server's passwords and hosts, which have none, are
    ///   sorted by token and by name.
    package static func yaml(of configuration: AgentConfiguration) -> String {
        var text = ConfigurationText()
        text.entry(0, Keys.version, plain: 1)
        write(configuration.log, to: &text)
        text.entry(0, Keys.pidfile, text: configuration.pidfile)
        text.entry(0, Keys.usageFile, text: configuration.usageFile)
        text.entry(0, Keys.shutdownGrace, configuration.shutdownGrace)
        text.entry(0, Keys.controlSocket, text: configuration.controlSocket)
        text.entry(0, Keys.watch, plain: configuration.watch)
        if let admin = configuration.admin {
            write(admin, to: &text)
        }
        write(configuration.history, to: &text)
        write(configuration.loadShedding, to: &text)
        write(configuration.tracing, to: &text)
        write(configuration.webhooks, to: &text)
        // A listener that sends people on is a part of the server that they are sent to.
        let redirects = Dictionary(
            configuration.servers.filter { $0.redirect != nil }.map { ($0.name, $0) }
        ) { first, _ in first }
        let ports = Dictionary(grouping: configuration.servers.filter { $0.tcp != nil }) { $0.tcp?.server }
        list(
            Keys.servers, configuration.servers.filter { $0.redirect == nil && $0.tcp == nil },
            { server, text in
                write(server, redirects["\(server.name):http"], to: &text)
                write(ports: ports[server.name] ?? [], of: server, to: &text)
            }, to: &text)
        list(Keys.tunnels, configuration.tunnels, write, to: &text)
        return text.text
    }

    private static func list<Entry>(
        _ key: KeyDeclaration, _ entries: [Entry], _ write: (Entry, inout ConfigurationText) -> Void,
        to text: inout ConfigurationText
    ) {
        text.line(0, entries.isEmpty ? "\(key.name): []" : "\(key.name):")
        for entry in entries { write(entry, &text) }
    }

    private static func write(_ log: LogConfiguration, to text: inout ConfigurationText) {
        text.line(0, "\(Keys.log.name):")
        text.entry(2, Keys.level, plain: log.level.rawValue)
        text.entry(2, Keys.format, plain: log.format.rawValue)
        switch log.destination {
        case .standardError: text.entry(2, Keys.file, text: Keys.file.defaultValue)
        case .file(let path): text.entry(2, Keys.file, text: path)
        }
        text.entry(2, Keys.syslog, plain: log.syslog?.rawValue)
    }

    private static func write(
        _ server: ServerConfiguration, _ redirect: ServerConfiguration?, to text: inout ConfigurationText
    ) {
        text.line(2, "- \(Keys.name.declaration.name): \(server.name)")
        text.entry(4, Keys.enabled, plain: true)
        text.entry(4, Keys.host, text: server.host)
        text.entry(4, Keys.port, plain: server.port)
        text.entry(4, Keys.reusePort, plain: server.reusePort)
        if let tls = server.tls { write(tls, redirect, to: &text) }
        if let pair = server.innerCertificate {
            text.line(4, "\(TLSKeys.innerTLSOfServer.name):")
            write(pair, 6, (TLSKeys.certFile, TLSKeys.keyFile, TLSKeys.keyPassword), to: &text)
        }
        text.entry(4, Keys.longPoll, plain: server.offersLongPoll)
        text.entry(4, Keys.basePath, text: server.routes.basePath)
        text.entry(4, Keys.wsTimeout, server.times.keepalive)
        text.entry(4, Keys.httpTimeout, server.times.stall)
        text.entry(4, Keys.queueTimeout, server.times.queue)
        text.entry(4, Keys.maxRequestsPerTunnel, plain: server.limits.waitingPerToken)
        text.entry(4, Keys.maxRequestsPerSession, plain: server.limits.requestsPerSession)
        text.entry(4, Keys.maxClientsPerToken, plain: server.limits.clientsPerToken ?? 0)
        text.entry(4, Keys.maxSessionsPerToken, plain: server.limits.sessionsPerToken)
        text.entry(4, Keys.maxSessionsPerAddress, plain: server.limits.sessionsPerAddress)
        let names = server.trust.certificateNames
        let access = server.access
        let tokens = Set(server.trust.passwords.keys).union(names.keys).union(access.tokens.keys)
            .sorted { $0.secret < $1.secret }
        text.line(4, "\(Keys.passwordEntries.name):" + (tokens.isEmpty ? " []" : ""))
        for token in tokens {
            text.line(6, "- \(Keys.token.literal.name): \"\(Secret.stars)\"")
            if let count = server.trust.passwords[token]?.count {
                let stars = Array(repeating: "\"\(Secret.stars)\"", count: count).joined(separator: ", ")
                text.line(8, "\(Keys.passwordList.name): [\(stars)]")
            }
            if let globs = names[token] { text.texts(8, TLSKeys.clientNames, globs.map(\.text)) }
            writeClaims(of: token, server.routes.claims, to: &text)
            write(access.tokens[token], 8, to: &text)
            write(server.callerLimits.tokens[token], 8, LimitKeys.tokenLimits, to: &text)
        }
        text.entry(4, Keys.onlyListedTokens, plain: server.trust.onlyListedTokens)
        writeNames(server.routes, access, server.callerLimits.names, to: &text)
        let ranges = server.trust.proxies.map { ConfigurationText.quoted($0.description) }
        text.line(4, "\(Keys.trustedProxies.name): [\(ranges.joined(separator: ", "))]")
        text.entry(4, OriginKeys.takenHeader, plain: server.trust.proxyHeader?.rawValue)
        text.entry(4, FieldKeys.forwarding, plain: server.routes.forwarding.rawValue)
        write(access.everybody, 4, to: &text)
        write(server.callerLimits, to: &text)
        write(server.bans, to: &text)
    }

    private static func write(_ tunnel: TunnelClientConfiguration, to text: inout ConfigurationText) {
        text.line(2, "- \(Keys.name.declaration.name): \(tunnel.name)")
        text.entry(4, Keys.enabled, plain: true)
        text.entry(4, Keys.tunnel, text: tunnel.tunnel.shown)
        writeOrigins(of: tunnel, to: &text)
        text.entry(4, Keys.regexp, text: tunnel.hostPattern?.source)
        text.entry(4, Keys.hostHeader, text: tunnel.hostHeader.shown)
        text.entry(4, FieldKeys.redirects, plain: tunnel.redirects.rawValue)
        text.entry(4, Keys.originVersions, text: tunnel.originVersions.rawValue)
        text.entry(4, Keys.hiddenFiles, plain: tunnel.servesHiddenFiles)
        text.texts(4, HostKeys.wanted, tunnel.hosts, isSorted: false)
        text.entry(4, OriginKeys.sentHeader, plain: tunnel.proxyHeader?.rawValue)
        text.secret(4, Keys.token.literal)
        if tunnel.password != nil { text.secret(4, Keys.password.literal) }
        text.entry(4, Keys.connections, plain: tunnel.connections)
        text.entry(4, Keys.protocol, plain: tunnel.protocol.rawValue)
        text.entry(4, Keys.transport, plain: tunnel.transport.rawValue)
        text.entry(4, Keys.websocketRetry, tunnel.websocketRetry)
        text.entry(4, Keys.timeout, tunnel.timeout)
        write(tunnel.trust, 4, to: &text)
        write(
            tunnel.identity, 4, (TLSKeys.clientCertificate, TLSKeys.clientKey, TLSKeys.clientKeyPassword),
            to: &text)
        if let trust = tunnel.innerTrust {
            text.line(4, "\(TLSKeys.innerTLSOfTunnel.name):")
            write(trust, 6, besidesInsecure: false, to: &text)
        }
        if !tunnel.originTrust.isEmpty { text.line(4, "\(TLSKeys.originTLS.name):") }
        for entry in tunnel.originTrust {
            text.line(6, "- \(Keys.insecure.declaration.name): \(entry.trust.isInsecure)")
            text.entry(8, TLSKeys.originHost, text: entry.host)
            write(entry.trust, 8, besidesInsecure: false, to: &text)
        }
        text.entry(4, Keys.proxy, text: tunnel.proxy?.shown ?? ProxyChoice.directText)
        if !tunnel.clientPorts.isEmpty {
            let ports = ClientPortsText.format(tunnel.clientPorts)
            text.line(4, "\(Keys.clientPorts.name): \(ConfigurationText.quoted(ports))")
        }
        text.entry(4, Keys.statusFile, text: tunnel.statusFile)
        text.entry(4, Keys.reconnectDelay, tunnel.longestRetryDelay)
        text.entry(4, Keys.maxRetries, plain: tunnel.maxRetries ?? 0)
        text.entry(4, Keys.required, plain: tunnel.isRequired)
    }
}

extension ConfigurationText {
    mutating func entry<Value>(_ indentation: Int, _ key: ScalarKey<Value>, text: String?) {
        entry(indentation, key.declaration.name, text: text)
    }

    mutating func entry<Value>(
        _ indentation: Int, _ key: ScalarKey<Value>, plain: (some CustomStringConvertible)?
    ) {
        entry(indentation, key.declaration.name, plain: plain)
    }

    mutating func entry(
        _ indentation: Int, _ key: ScalarKey<Duration>, _ duration: Duration
    ) {
        entry(indentation, key.declaration.name, plain: DurationText.format(duration))
    }

    /// A list of texts, sorted, or nothing where there is none.
    mutating func texts(
        _ indentation: Int, _ key: KeyDeclaration, _ values: [String], isSorted: Bool = true
    ) {
        guard !values.isEmpty else { return }
        let texts = (isSorted ? values.sorted() : values).map(Self.quoted).joined(separator: ", ")
        line(indentation, "\(key.name): [\(texts)]")
    }

    mutating func secret(_ indentation: Int, _ key: KeyDeclaration) {
        entry(indentation, key.name, text: Secret.stars)
    }
}
