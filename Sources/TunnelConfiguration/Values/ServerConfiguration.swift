package import TunnelProtocol

/// A tunnel server: one listener for callers and tunnel clients.
package struct ServerConfiguration: Hashable, Sendable {
    /// Most sessions that a server takes.
    package static let mostSessions = 20_000
    /// Most requests in one session.
    package static let mostRequestsPerSession = 1000

    /// Identity across reloads, in logs and metrics: `[A-Za-z0-9][A-Za-z0-9_.-]*`.
    package var name: String
    /// Address or host name to bind, IPv6 without brackets.
    package var host: String
    /// 0…65535; 0 lets the kernel choose.
    package var port: Int
    /// Whether other processes of the same user may listen on the same port.
    package var reusePort: Bool
    /// TLS with everybody who connects, or nil for plain HTTP.
    package var tls: ListenerTLS?
    /// What it shows to tunnel clients that ask for TLS of their own inside what carries the tunnel; nil: a certificate of
    /// `tls`. Where neither is there, none is spoken inside.
    package var innerCertificate: KeyPair?
    /// Whether tunnel clients may come by long polling, not by WebSockets alone.
    package var offersLongPoll: Bool
    /// It serves no tunnels, and sends everybody to another listener; nil for one that serves them.
    package var redirect: RedirectListener?
    /// It speaks no HTTP, and passes its connections on as they are, through a tunnel of another server; nil for one that
    /// speaks HTTP.
    package var tcp: TCPPort?
    package var routes: Routes
    package var times: Times
    package var limits: Limits
    package var trust: Trust
    /// Who may call, and what becomes of their requests.
    package var access: CallerAccess
    /// What callers may have.
    package var callerLimits = CallerLimits()
    /// When who guesses is shut out.
    package var bans = BanRules()

    package init(
        name: String, host: String = "0.0.0.0", port: Int = 80, reusePort: Bool = false,
        tls: ListenerTLS? = nil, innerCertificate: KeyPair? = nil, offersLongPoll: Bool = true,
        redirect: RedirectListener? = nil, tcp: TCPPort? = nil,
        routes: Routes = Routes(), times: Times = Times(), limits: Limits = Limits(), trust: Trust = Trust(),
        access: CallerAccess = CallerAccess()
    ) {
        self.name = name
        self.host = host
        self.port = port
        self.reusePort = reusePort
        self.tls = tls
        self.innerCertificate = innerCertificate
        self.offersLongPoll = offersLongPoll
        self.redirect = redirect
        self.tcp = tcp
        self.routes = routes
        self.times = times
        self.limits = limits
        self.trust = trust
        self.access = access
    }

    /// Which requests go to which tunnels.
    package struct Routes: Hashable, Sendable {
        /// "" or a path that starts with `/` and does not end with one.
        package var basePath: String
        /// The names whose requests go to a token without naming it.
        package var hosts: [PublicName: RendezvousToken]
        /// Which names tunnel clients may have for the asking, or nil for none.
        package var claims: HostClaimRules?
        /// Where callers reach the server, or nil: where it listens.
        package var publicURL: PublicURL?
        /// In which fields origins are told of callers.
        package var forwarding: ForwardingFields

        package init(
            basePath: String = "", hosts: [PublicName: RendezvousToken] = [:], claims: HostClaimRules? = nil,
            publicURL: PublicURL? = nil, forwarding: ForwardingFields = .all
        ) {
            self.basePath = basePath
            self.hosts = hosts
            self.claims = claims
            self.publicURL = publicURL
            self.forwarding = forwarding
        }
    }

    /// How long what may take.
    package struct Times: Hashable, Sendable {
        /// `wstimeout`: a tunnel client that was silent for so long is gone; 3 s…600 s.
        package var keepalive: Duration
        /// `httptimeout`: how long a request may go on without a byte in either direction.
        package var stall: Duration
        /// `queue-timeout`: how long a request waits for a tunnel that is down or busy.
        package var queue: Duration

        package init(
            keepalive: Duration = .seconds(30), stall: Duration = .seconds(1200),
            queue: Duration = .seconds(30)
        ) {
            self.keepalive = keepalive
            self.stall = stall
            self.queue = queue
        }
    }

    /// How many of what there may be.
    package struct Limits: Hashable, Sendable {
        /// `max-requests-per-tunnel`: most requests of one token that wait while its tunnel is down; at least 1.
        package var waitingPerToken: Int
        /// `max-clients-per-token`: most tunnel clients of one token, or nil for any number; all sessions of one client
        /// count once.
        package var clientsPerToken: Int?
        /// Most sessions for one token; 1 to `mostSessions`.
        package var sessionsPerToken: Int
        /// Most requests that a session carries at once, whatever its client takes: 1…`mostRequestsPerSession`.
        package var requestsPerSession: Int
        /// Most sessions from one address (`AddressGroup`); 1 to `mostSessions`.
        package var sessionsPerAddress: Int

        package init(
            waitingPerToken: Int = 20, clientsPerToken: Int? = nil,
            requestsPerSession: Int = mostRequestsPerSession, sessionsPerToken: Int = 1024,
            sessionsPerAddress: Int = mostSessions / 2
        ) {
            self.waitingPerToken = waitingPerToken
            self.clientsPerToken = clientsPerToken
            self.requestsPerSession = requestsPerSession
            self.sessionsPerToken = sessionsPerToken
            self.sessionsPerAddress = sessionsPerAddress
        }
    }

    /// Whether connections begin with a PROXY header.
    package enum ProxyHeaderDemand: String, CaseIterable, Hashable, Sendable {
        /// All of them, and from trusted proxies alone.
        case required
        /// Those of trusted proxies may; of others nothing is looked for.
        case optional
    }

    /// Who is believed, and in what.
    package struct Trust: Hashable, Sendable {
        /// The passwords of each token that needs one: either of a token's passwords is good. Tokens that are not
        /// listed connect without.
        package var passwords: [RendezvousToken: Set<Secret>]
        /// Whether tokens without an entry in `passwords` are refused.
        package var onlyListedTokens: Bool
        /// The names of which a tunnel client's certificate must have one, for tokens for which that is asked.
        package var certificateNames: [RendezvousToken: Set<NameGlob>]
        /// Whose `X-Forwarded-For` and the like are believed; empty for nobody's.
        package var proxies: [AddressRange]
        /// Whether those say in a PROXY header whose a connection is; nil where they do not.
        package var proxyHeader: ProxyHeaderDemand?

        package init(
            passwords: [RendezvousToken: Set<Secret>] = [:], onlyListedTokens: Bool = false,
            certificateNames: [RendezvousToken: Set<NameGlob>] = [:], proxies: [AddressRange] = [],
            proxyHeader: ProxyHeaderDemand? = nil
        ) {
            self.passwords = passwords
            self.onlyListedTokens = onlyListedTokens
            self.certificateNames = certificateNames
            self.proxies = proxies
            self.proxyHeader = proxyHeader
        }
    }
}
