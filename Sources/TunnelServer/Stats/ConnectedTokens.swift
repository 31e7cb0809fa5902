import AgentStatus
import Routing
import TunnelConfiguration
import TunnelProtocol

extension ServerCore {
    /// Tokens that have a session, in the order of the names that their clients announce, and how many more there are
    /// than are listed.
    ///
    /// - Parameter name: only those of that name; nil for all.
    func connectedTokens(named name: String?) -> (listed: [ConnectedToken], more: Int) {
        let limits = settings.callerLimits
        let all = registry.connected.compactMap { summary in
            var token = ConnectedToken(summary)
            if let quota = limits.limits(of: summary.about.token).bytesPerMonth {
                token?.monthBytes = meter.bytesThisMonth(of: summary.about.token)
                token?.monthLimit = UInt64(max(0, quota))
            }
            return token
        }
        return ConnectedToken.listed(name.map { name in all.filter { $0.name == name } } ?? all)
    }
}

extension ConnectedToken {
    fileprivate init?(_ summary: TunnelRegistry.Summary) {
        guard let latest = summary.sessions.max(by: { $0.since < $1.since }) else { return nil }
        let about = summary.about
        self.init(
            name: latest.tunnelName, tokenHint: about.token.hint, tokenTag: Self.tag(of: about.token),
            address: latest.address, software: latest.software,
            protocolVersion: latest.protocolVersion.rawValue, certificateName: latest.certificateName,
            clients: about.clients, sessions: summary.sessions.count, requests: about.requests,
            pending: about.pending, since: summary.sessions.map(\.since).min() ?? latest.since)
    }

    /// 24 bits, in hexadecimal. Of a hash that everybody can work out they would tell most of what the hint leaves unsaid
    /// of a short token; Swift's is seeded at random in each process.
    static func tag(of token: RendezvousToken) -> String {
        var hasher = Hasher()
        hasher.combine(token.secret)
        let bits = UInt(bitPattern: hasher.finalize()) & 0xff_ffff
        let digits = String(bits, radix: 16)
        return String(repeating: "0", count: 6 - digits.count) + digits
    }
}
