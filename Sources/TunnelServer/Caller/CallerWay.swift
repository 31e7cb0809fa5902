import HTTPMessage
import Routing
import TunnelProtocol

/// The way that a request takes to a tunnel, as far as the next one of its connection may take the same. Bound to the
/// connection's event loop.
final class CallerWay {
    let token: RendezvousToken
    /// `RendezvousToken.hint`
    let tokenHint: String
    let forwarding: CallerForwarding
    private let policy: RoutePolicy
    private let settings: ServerSettings

    /// - Parameter settings: by which the request is forwarded.
    init(_ route: Route, _ settings: ServerSettings, _ forwarding: CallerForwarding) {
        self.token = route.token
        self.tokenHint = route.token.hint
        self.forwarding = forwarding
        self.policy = route.policy
        self.settings = settings
    }

    /// Whether a request is forwarded just so.
    func fits(
        _ route: Route, _ settings: ServerSettings, _ certificateName: String?, isHTTP2: Bool
    ) -> Bool {
        self.settings === settings && route.token == token && route.policy == policy
            && forwarding.caller.isHTTP2 == isHTTP2
            && forwarding.caller.certificateName == certificateName
    }
}
