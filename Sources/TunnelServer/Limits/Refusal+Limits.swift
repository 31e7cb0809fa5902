import AgentStatus
import Routing

/// What is answered where a limit was met.
extension Refusal {
    init(_ hit: LimitHit) {
        let whose =
            switch hit.limit.scope {
            case .address: "from this address"
            case .name: "for this name"
            case .token: "for this tunnel"
            }
        let text =
            switch hit.limit.kind {
            case .connections: "Too many connections \(whose)"
            case .requests: "Too many requests \(whose) at once"
            case .requestsPerSecond: "Too many requests \(whose)"
            case .bytesPerSecond: "Too many bytes \(whose)"
            case .bytesPerMonth: "The bytes of this month are used up \(whose)"
            }
        let seconds = hit.retryAfter.components
        self.init(
            429, text, .limitReached,
            retryAfter: max(1, Int(seconds.seconds) + (seconds.attoseconds > 0 ? 1 : 0)),
            limit: hit.limit.description)
    }

    /// To who is shut out, on a connection that was there before, or that is a proxy's.
    static func banned(_ left: Duration) -> Refusal {
        Refusal(
            429, "Too many wrong tokens or passwords came from this address: it is shut out for a while",
            .banned, retryAfter: max(1, Int(left.components.seconds) + 1), limit: "ban")
    }

    /// The answer of a connection that is one too many from its address.
    static let tooManyConnectionsFromAddress = Refusal(
        LimitHit(limit: LimitName(.address, .connections), retryAfter: .seconds(1)))
    static let bodyTooSlow = Refusal(
        408, "The request's body came too slowly", .requestTooSlow, limit: "body-rate")
}
