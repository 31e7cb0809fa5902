/// The name of a limit that a request met, as the configuration writes it: `per-address.requests-per-second`.
package struct LimitName: Hashable, Sendable, CustomStringConvertible {
    /// For whom it holds.
    package enum Scope: String, Hashable, Sendable, CaseIterable {
        case address = "per-address"
        case name = "per-name"
        case token = "per-token"
    }

    /// Of what.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case connections
        case requests
        case requestsPerSecond = "requests-per-second"
        case bytesPerSecond = "bytes-per-second"
        case bytesPerMonth = "bytes-per-month"
    }

    package let scope: Scope
    package let kind: Kind

    package init(_ scope: Scope, _ kind: Kind) {
        self.scope = scope
        self.kind = kind
    }

    package var description: String { "\(scope.rawValue).\(kind.rawValue)" }
}

/// A request that goes beyond a limit.
package struct LimitHit: Error, Hashable, Sendable {
    package let limit: LimitName
    /// When trying again makes sense.
    package let retryAfter: Duration

    package init(limit: LimitName, retryAfter: Duration) {
        self.limit = limit
        self.retryAfter = retryAfter
    }
}
