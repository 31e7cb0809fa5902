import ProxyProtocol
import YAMLDocument

extension MappingReader {
    /// The origins that `server` names, one or a list; sockets' paths start where their file does.
    func origins() -> [OriginTarget] {
        guard let field = field(Keys.server.declaration) else { return [] }
        guard let nodes = field.node.sequence else { return origin(field).map { [$0] } ?? [] }
        guard (1...OriginTarget.mostInList).contains(nodes.count) else {
            let message = nodes.isEmpty ? "the list is empty" : "\(nodes.count) origins are too many"
            pass.error(
                at: field.place, field.path, message,
                advice: "name one to \(OriginTarget.mostInList) web servers")
            return []
        }
        var origins: [OriginTarget] = []
        for item in field.items(nodes) {
            guard let origin = origin(item) else { continue }
            if nodes.count > 1, !origin.isWebServer {
                pass.error(
                    at: item.place, item.path, "\(Quotation.of(origin.shown)) is no web server",
                    advice: "a list takes http://, https://, h2c:// and unix: alone")
            } else if origins.contains(origin) {
                pass.error(
                    at: item.place, item.path, "\(Quotation.of(origin.shown)) stands there twice",
                    advice: "remove one of them")
            } else {
                origins.append(origin)
            }
        }
        return origins
    }

    private func origin(_ field: Field) -> OriginTarget? {
        guard let text = text(of: field) else { return nil }
        do throws(ValueFault) {
            guard let origin = try Keys.server.parse(text) else { return nil }
            guard case .socket(let path) = origin else { return origin }
            let resolved = field.file.resolve(path)
            checkSocket(resolved, field)
            return .socket(path: resolved)
        } catch {
            pass.error(at: field.place, field.path, error.message, advice: error.advice)
            return nil
        }
    }

    /// Which of several origins has a request, and how it is found out whether they are well.
    func originCare(
        _ origins: [OriginTarget], isDefaults: Bool
    ) -> (balance: TunnelClientConfiguration.Balance, health: HealthCheck?) {
        let balance = value(HealthKeys.balance)
        let health = field(HealthKeys.health).flatMap {
            MappingReader($0, .health, isOffline: isOffline, pass: pass)?.healthCheck()
        }
        if !isDefaults, origins.count == 1 {
            warnOfIdle(
                HealthKeys.balance.declaration, "\"server\" names one origin", "name several in a list")
        }
        if !isDefaults, origins.first.map({ !$0.isWebServer }) ?? (field(Keys.server.declaration) == nil) {
            warnOfIdle(HealthKeys.health, "\"server\" names no web server", "name one in \"server\"")
        }
        return (balance, health)
    }

    private func healthCheck() -> HealthCheck {
        let health = HealthCheck(
            path: value(HealthKeys.path), interval: value(HealthKeys.every),
            timeout: value(HealthKeys.timeout), fall: value(HealthKeys.fall), rise: value(HealthKeys.rise),
            statuses: value(HealthKeys.status))
        let key = HealthKeys.timeout.declaration
        if health.timeout > health.interval {
            let field = field(key) ?? field(HealthKeys.every.declaration)
            pass.error(
                at: field?.place ?? place, field?.path ?? path,
                "a check may take longer (\(DurationText.format(health.timeout))) than the next one is away ("
                    + "\(DurationText.format(health.interval)))",
                advice: "set timeout below every")
        }
        return health
    }

    private func warnOfIdle(_ key: KeyDeclaration, _ reason: String, _ remedy: String) {
        guard let field = field(key), field.path.hasPrefix(path) else { return }
        pass.warning(
            at: field.place, field.path, "\"\(key.name)\" has no effect: \(reason)",
            advice: "remove it, or \(remedy)")
    }

    /// An app may make its socket later than the agent starts.
    private func checkSocket(_ path: String, _ field: Field) {
        guard path.utf8.count <= OriginTarget.longestSocketPath else {
            return pass.error(
                at: field.place, field.path,
                "the socket's path, \(Quotation.of(path)), is \(path.utf8.count) bytes long: the system takes "
                    + "\(OriginTarget.longestSocketPath)",
                advice: "let the app listen at a shorter one, or name a link to its folder")
        }
        guard !isOffline else { return }
        switch pass.source.kind(ofPath: path) {
        case .other: return
        case .missing:
            pass.warning(
                at: field.place, field.path, "the socket \(Quotation.of(path)) does not exist yet",
                advice: "start the app that listens there, or correct the path")
        case .file, .folder:
            pass.error(
                at: field.place, field.path, "\(Quotation.of(path)) is no socket",
                advice: "name the socket on which the app listens")
        }
    }

    /// Which version of the PROXY header origins get.
    func sentHeader(_ origin: OriginTarget?) -> ProxyHeader.Version? {
        let version = value(OriginKeys.sentHeader)
        let key = OriginKeys.sentHeader.declaration
        let takesHeader = if case .tcp = origin { true } else { origin?.isWebServer ?? true }
        if version != nil, !takesHeader {
            warnOfIdle(key, "\"server\" names no web server", "name one in \"server\"")
        }
        return version
    }

    /// Whether a server takes PROXY headers, which make sense from those alone who are trusted.
    func takenHeader(_ proxies: [AddressRange], isDefaults: Bool) -> ServerConfiguration.ProxyHeaderDemand? {
        let demand = value(OriginKeys.takenHeader)
        let key = OriginKeys.takenHeader.declaration
        if demand != nil, proxies.isEmpty, !isDefaults, items(Keys.trustedProxies).isEmpty,
            let field = field(key)
        {
            pass.error(
                at: field.place, field.path,
                "nobody is trusted to say in a PROXY header whose a connection is",
                advice: "name who stands before the server, such as trusted-proxies: [127.0.0.1]")
        }
        return demand
    }
}

extension OriginTarget {
    /// Whether it is known to speak HTTP/2.
    var isHTTP2: Bool {
        if case .web(let url) = self { url.isHTTP2 } else { false }
    }

    /// Whether it is one that speaks HTTP, by itself.
    fileprivate var isWebServer: Bool {
        switch self {
        case .web, .socket: true
        case .echo, .folder, .tcp: false
        }
    }
}
