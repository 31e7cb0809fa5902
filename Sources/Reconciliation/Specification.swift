package import AgentStatus
package import TunnelConfiguration

/// How a changed setting of something that runs comes into force.
package enum ChangeEffect: Hashable, Sendable {
    /// Swapped while connections, sessions and requests go on.
    case inPlace
    /// What carries it is made anew and takes over before the old one leaves: a server's listener (its sessions
    /// and requests stay), a tunnel's sessions.
    case replacement
    /// Only at the next start.
    case restart
}

/// One setting of a specification: the key it is written as, what a change of it takes, and how to compare it.
package struct SpecificationField<Spec: Sendable>: Sendable {
    /// As in the file.
    package let key: String
    package let effect: ChangeEffect
    fileprivate let isEqual: @Sendable (Spec, Spec) -> Bool
    private let copyValue: @Sendable (Spec, inout Spec) -> Void

    init<Value: Equatable & Sendable>(
        _ key: String, _ path: any WritableKeyPath<Spec, Value> & Sendable, _ effect: ChangeEffect
    ) {
        self.key = key
        self.effect = effect
        isEqual = { $0[keyPath: path] == $1[keyPath: path] }
        copyValue = { $1[keyPath: path] = $0[keyPath: path] }
    }

    /// Takes the setting over.
    func copy(from source: Spec, to target: inout Spec) { copyValue(source, &target) }
}

/// What a configuration says of something that is started, changed and stopped. Its fields tell what a change
/// takes; nothing else decides that.
package protocol Specification: Hashable, Sendable {
    static var kind: PlanSnapshot.Action.Kind { get }
    /// All of it but the name.
    static var fields: [SpecificationField<Self>] { get }
    /// The identity across reloads.
    var name: String { get }
}

extension Specification {
    /// The fields in which two specifications differ.
    package func changes(to other: Self) -> [SpecificationField<Self>] {
        self == other ? [] : Self.fields.filter { !$0.isEqual(self, other) }
    }
}

extension ServerConfiguration: Specification {
    package static var kind: PlanSnapshot.Action.Kind { .server }

    package static let fields: [SpecificationField<Self>] = [
        .init("host", \.host, .replacement),
        .init("port", \.port, .replacement),
        .init("reuse-port", \.reusePort, .replacement),
        .init("tls", \.tls, .inPlace),
        .init("inner-tls", \.innerCertificate, .inPlace),
        .init("longpoll", \.offersLongPoll, .inPlace),
        .init("redirect-http", \.redirect, .inPlace),
        .init("ports", \.tcp, .inPlace),
        .init("base-path", \.routes.basePath, .inPlace),
        .init("wstimeout", \.times.keepalive, .inPlace),
        .init("httptimeout", \.times.stall, .inPlace),
        .init("queue-timeout", \.times.queue, .inPlace),
        .init("max-requests-per-tunnel", \.limits.waitingPerToken, .inPlace),
        .init("max-clients-per-token", \.limits.clientsPerToken, .inPlace),
        .init("max-requests-per-session", \.limits.requestsPerSession, .inPlace),
        .init("max-sessions-per-token", \.limits.sessionsPerToken, .inPlace),
        .init("max-sessions-per-address", \.limits.sessionsPerAddress, .inPlace),
        .init("passwords", \.trust.passwords, .inPlace),
        .init("client-name", \.trust.certificateNames, .inPlace),
        .init("only-listed-tokens", \.trust.onlyListedTokens, .inPlace),
        .init("hosts", \.routes.hosts, .inPlace),
        .init("host-claims", \.routes.claims, .inPlace),
        .init("public-url", \.routes.publicURL, .inPlace),
        .init("trusted-proxies", \.trust.proxies, .inPlace),
        .init("proxy-protocol", \.trust.proxyHeader, .inPlace),
        .init("forwarding", \.routes.forwarding, .inPlace),
        .init("callers", \.access, .inPlace),
        .init("limits", \.callerLimits, .inPlace),
        .init("ban", \.bans, .inPlace),
    ]
}

extension TunnelClientConfiguration: Specification {
    package static var kind: PlanSnapshot.Action.Kind { .tunnel }

    package static let fields: [SpecificationField<Self>] = [
        .init("tunnel", \.tunnel, .replacement),
        .init("token", \.token, .replacement),
        .init("password", \.password, .replacement),
        .init("proxy", \.proxy, .replacement),
        .init("client-ports", \.clientPorts, .replacement),
        .init("connections", \.connections, .replacement),
        .init("protocol", \.protocol, .replacement),
        .init("transport", \.transport, .replacement),
        .init("hosts", \.hosts, .replacement),
        .init("inner-tls", \.innerTrust, .replacement),
        .init("server", \.origins, .inPlace),
        .init("balance", \.balance, .inPlace),
        .init("health", \.health, .inPlace),
        .init("regexp", \.hostPattern, .inPlace),
        .init("host-header", \.hostHeader, .inPlace),
        .init("redirects", \.redirects, .inPlace),
        .init("http", \.originVersions, .inPlace),
        .init("hidden-files", \.servesHiddenFiles, .inPlace),
        .init("proxy-protocol", \.proxyHeader, .inPlace),
        .init("insecure", \.trust.isInsecure, .inPlace),
        .init("certfile", \.trust.certificates, .inPlace),
        .init("pin-sha256", \.trust.pins, .inPlace),
        .init("server-name", \.trust.serverName, .inPlace),
        .init("client-certificate", \.identity, .inPlace),
        .init("origin-tls", \.originTrust, .inPlace),
        .init("timeout", \.timeout, .inPlace),
        .init("statusfile", \.statusFile, .inPlace),
        .init("websocket-retry", \.websocketRetry, .inPlace),
        .init("reconnect-delay", \.longestRetryDelay, .inPlace),
        .init("max-retries", \.maxRetries, .inPlace),
        .init("required", \.isRequired, .inPlace),
    ]
}

/// The settings of the agent itself; servers and tunnels are specifications of their own.
extension AgentConfiguration {
    package static let fields: [SpecificationField<Self>] = [
        .init("log.level", \.log.level, .inPlace),
        .init("log.format", \.log.format, .inPlace),
        .init("log.file", \.log.destination, .inPlace),
        .init("log.syslog", \.log.syslog, .restart),
        .init("pidfile", \.pidfile, .inPlace),
        .init("usage-file", \.usageFile, .inPlace),
        .init("shutdown-grace", \.shutdownGrace, .inPlace),
        .init("control-socket", \.controlSocket, .inPlace),
        .init("admin", \.admin, .inPlace),
        .init("watch", \.watch, .inPlace),
        .init("load-shedding", \.loadShedding, .inPlace),
        .init("tracing", \.tracing, .inPlace),
        .init("webhooks", \.webhooks, .inPlace),
        .init("history", \.history, .inPlace),
    ]

    /// The fields of the agent itself in which two configurations differ.
    func agentChanges(to other: Self) -> [SpecificationField<Self>] {
        Self.fields.filter { !$0.isEqual(self, other) }
    }
}
