package import TunnelProtocol

/// `limits` of a server: what callers may have of it, and how slow they may be.
package struct CallerLimits: Hashable, Sendable {
    /// `enforce`: whether who goes beyond a limit of requests or bytes is held to it; else the log alone is told.
    package var isEnforced = true
    /// Most connections at once from one address (`AddressGroup`); nil: as many as the server takes from anybody.
    package var connectionsPerAddress: Int?
    /// `per-address`: of one caller's address.
    package var perAddress = RequestLimits()
    /// `per-name`: of all callers of one name, in `Host`.
    package var perName = RequestLimits()
    /// `per-token`: of all callers of one token.
    package var perToken = RequestLimits()
    /// What entries of `passwords` say in place of `perToken`.
    package var tokens: [RendezvousToken: RequestLimits] = [:]
    /// What entries of `hosts` say in place of `perName`.
    package var names: [PublicName: RequestLimits] = [:]
    /// `head-timeout`: time for a request's head.
    package var headTimeout: Duration = .seconds(10)
    /// How slow the body of a request may be; nil for any.
    package var bodyPace: BodyPace?

    package init() {}

    /// Whether any limit of requests or bytes is set.
    package var boundsRequests: Bool {
        !perAddress.isEmpty || !perName.isEmpty || !perToken.isEmpty || tokens.values.contains { !$0.isEmpty }
            || names.values.contains { !$0.isEmpty }
    }
}

/// What all requests of one address, or to one name or token, may have together.
package struct RequestLimits: Hashable, Sendable {
    /// `requests`: most under way at once; nil for any number.
    package var requests: Int?
    /// `requests-per-second`
    package var requestRate: Rate?
    /// `bytes-per-second`: of the bodies, in both directions together.
    package var byteRate: Rate?
    /// `bytes-per-month`: of the bodies, in both directions together, in a month of UTC. Of tokens alone.
    package var bytesPerMonth: Int?

    package init(
        requests: Int? = nil, requestRate: Rate? = nil, byteRate: Rate? = nil, bytesPerMonth: Int? = nil
    ) {
        self.requests = requests
        self.requestRate = requestRate
        self.byteRate = byteRate
        self.bytesPerMonth = bytesPerMonth
    }

    package var isEmpty: Bool {
        requests == nil && requestRate == nil && byteRate == nil && bytesPerMonth == nil
    }

    /// So many in each second, and so many at once after a pause.
    package struct Rate: Hashable, Sendable {
        /// 1 or more.
        package var perSecond: Int
        /// 1 or more.
        package var burst: Int

        /// - Parameter burst: nil for twice what comes in a second.
        package init(perSecond: Int, burst: Int? = nil) {
            self.perSecond = perSecond
            self.burst = burst ?? perSecond * 2
        }
    }
}

/// The slowest that the body of a request may come.
package struct BodyPace: Hashable, Sendable {
    /// `body-rate`: bytes in a second, on average; 1 or more.
    package var bytesPerSecond: Int
    /// `body-timeout`: so far may it lag behind that.
    package var patience: Duration

    package init(bytesPerSecond: Int, patience: Duration = .seconds(30)) {
        self.bytesPerSecond = bytesPerSecond
        self.patience = patience
    }
}
