package import TunnelConfiguration
package import TunnelProtocol

extension HostClaims {
    /// The names that tunnels have once all of these have come, in this order.
    ///
    /// - Parameter claims: the token of each, and what it asks for.
    package init(
        _ rules: HostClaimRules?, listed: HostTable, askedFor claims: [(RendezvousToken, [String])]
    ) {
        self.init(rules, listed: listed)
        for (number, claim) in claims.enumerated() {
            _ = join(UInt64(number), claim.0, claims: claim.1, now: MonotonicInstant(nanoseconds: 0))
        }
    }
}
