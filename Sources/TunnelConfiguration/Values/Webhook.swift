package import AgentStatus

/// A web server that is told of events.
package struct WebhookConfiguration: Hashable, Sendable {
    /// Most of them.
    package static let most = 32

    /// Identity across reloads, in logs and metrics: `[A-Za-z0-9][A-Za-z0-9_.-]*`.
    package var name: String
    package var url: WebhookURL
    /// What signs what is sent.
    package var secret: Secret
    /// What it is told of; empty: everything.
    package var kinds: Set<AgentEvent.Kind>
    /// How long one try may take.
    package var timeout: Duration
    /// Tries for one event.
    package var mostTries: Int
    /// An event that is older is not sent any more.
    package var longestAge: Duration
    /// Which servers it believes, over TLS.
    package var trust: PeerTrust

    package init(
        name: String, url: WebhookURL, secret: Secret, kinds: Set<AgentEvent.Kind> = [],
        timeout: Duration = .seconds(10), mostTries: Int = 20, longestAge: Duration = .seconds(3600),
        trust: PeerTrust = PeerTrust()
    ) {
        self.name = name
        self.url = url
        self.secret = secret
        self.kinds = kinds
        self.timeout = timeout
        self.mostTries = mostTries
        self.longestAge = longestAge
        self.trust = trust
    }
}

/// Where a webhook listens. Its path and query may be what lets one in: they are not shown.
package struct WebhookURL: Hashable, Sendable {
    package var isSecure: Bool
    /// Host name or address, IPv6 without brackets.
    package var host: String
    /// 1…65535.
    package var port: Int
    /// Path and query, with a leading slash.
    package var target: Secret
    /// The URL's userinfo, for Basic authentication, or nil.
    package var credentials: BasicCredentials?

    package init(
        isSecure: Bool, host: String, port: Int, target: Secret = Secret("/"),
        credentials: BasicCredentials? = nil
    ) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
        self.target = target
        self.credentials = credentials
    }

    /// Whether nobody between here and there can listen in: it is on this machine.
    package var isLoopback: Bool { AddressRange.isLoopback(host) }

    /// Scheme, host and port: for people.
    package var shown: String {
        let name = host.contains(":") ? "[\(host)]" : host
        let port = port == (isSecure ? 443 : 80) ? "" : ":\(port)"
        return "\(isSecure ? "https" : "http")://\(name)\(port)"
    }
}
