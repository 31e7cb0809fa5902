import HTTPMessage
import NIOCore
import Observability
import Routing
import TunnelConfiguration
import TunnelProtocol

/// What the requests of one connection are for, and who sends them.
struct CallerReception {
    /// What comes of a request.
    enum Outcome {
        /// An answer of our own.
        ///
        /// - Parameter closes: the connection ends behind it.
        case answer(OwnAnswer, RequestRecord?, closes: Bool)
        case exchange(CallerExchange)
        /// A tunnel client knocks.
        case tunnel(TunnelHandshake)
    }

    private let core: ServerCore
    private let loopIndex: Int
    /// The address that connected.
    private let peer: String
    private let peerPort: Int?
    /// Who calls, as far as is known from the latest request.
    private(set) var address: String

    /// - Parameter peer: the address that connected; nil where nobody knows.
    init(core: ServerCore, loopIndex: Int, peer: SocketAddress?) {
        self.core = core
        self.loopIndex = loopIndex
        self.peer = peer?.ipAddress ?? "unknown"
        self.peerPort = peer?.port
        self.address = self.peer
    }

    /// What the address that connected counts as.
    var group: AddressGroup { AddressGroup(peer) }

    /// Who calls, with the port where that is known.
    private var endpoint: String {
        guard address == peer, let peerPort else { return address }
        return hostAndPort(peer, peerPort)
    }

    /// - Parameters:
    ///   - settings: those that the request begins with.
    ///   - isLeaving: whether the connection is to end behind its next answer.
    ///   - stream: where the answer goes.
    mutating func receive(
        _ head: RequestHead, _ framing: BodyFraming, _ settings: ServerSettings, isLeaving: Bool,
        for stream: any CallerStream
    ) -> Outcome {
        let now = stream.eventLoop.now
        let caller = settings.routes.caller(at: peer, head.fields)
        address = caller.text
        let closes = framing != .none || !head.allowsKeepAlive || isLeaving
        switch settings.routes.route(head) {
        case .healthCheck:
            var record = makeRecord(head.method, path: "/_health_check", now: now)
            record.level = .debug
            return .answer(.healthy, record, closes: closes)
        case .stats:
            let stats = OwnAnswer(200, line: core.stats(isDetailed: caller.isLocal))
            return .answer(stats, makeRecord(head.method, path: "/_stats", now: now), closes: closes)
        case .tunnel:
            return .tunnel(
                TunnelHandshake(core: core, settings: settings, address: address, endpoint: endpoint))
        case .refuse(.tunnelNotFound) where core.isOneGuessTooMany(from: address):
            return .answer(Refusal.tooManyGuesses.answer, nil, closes: true)
        case .refuse(let error):
            return .answer(Refusal(error).answer, makeRecord(head.method, path: "", now: now), closes: closes)
        case .forward(let route):
            let token = route.token
            guard !TokenRemoval.mayFind(token.secret, in: head.method) else {
                let error = HTTPMessageError(.malformed, "the method holds the token")
                return .answer(
                    Refusal.malformed(error).answer, makeRecord("-", path: "-", now: now), closes: true)
            }
            var request = head
            // The log shows it, too.
            request.target = TokenRemoval.clean(
                route.target, token: token.secret, basePath: route.policy.basePath)
            let path = TokenRemoval.masked(request.target)
            // Who asks how far it gets, not the origin (RFC 9110 §7.6.2).
            if request.takeHop() == 0 {
                let record = makeRecord(head.method, path: path, now: now)
                return .answer(.hopsUsedUp(head.method), record, closes: closes)
            }
            return .exchange(
                CallerExchange(
                    core: core, settings: settings, loopIndex: loopIndex, stream: stream, token: token,
                    request: request, forwarding: route.forwarding(from: peer, caller), framing: framing,
                    record: makeRecord(head.method, path: path, tokenHint: token.hint, now: now)))
        }
    }

    /// For the access log.
    ///
    /// - Parameters:
    ///   - method: "-" where there was no request that could be read.
    ///   - path: the target inside the tunnel.
    func makeRecord(
        _ method: String, path: String, tokenHint: String? = nil, now: NIODeadline
    ) -> RequestRecord {
        core.makeRecord(method, path: path, tokenHint: tokenHint, caller: address, now: now)
    }
}
