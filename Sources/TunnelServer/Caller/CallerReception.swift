import HTTPMessage
import HTTPServing
import NIOCore
import Observability
import Routing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// What the requests of one connection to a tunnel server are for, and who sends them.
final class CallerReception: RequestReception {
    private let core: ServerCore
    private let loopIndex: Int
    /// By which listener the connection came.
    private let listener: Int
    /// What the request under way began with, or the latest one.
    private var settings: ServerSettings
    /// The address that connected.
    private var peer = "unknown"
    private var peerPort: Int?
    /// Who calls, as far as is known from the latest request.
    private var address = "unknown"

    private init(core: ServerCore, loopIndex: Int, listener: Int) {
        self.core = core
        self.loopIndex = loopIndex
        self.listener = listener
        self.settings = core.settings
    }

    /// The handler of a connection that came by a listener. Called on its event loop.
    static func handler(core: ServerCore, on eventLoop: any EventLoop, listener: Int) -> CallerHandler {
        let loopIndex = core.index(of: eventLoop)
        return CallerHandler(
            on: eventLoop, limits: core.limits.connection, date: core.dates[loopIndex].value,
            budget: core.budget,
            reception: CallerReception(core: core, loopIndex: loopIndex, listener: listener))
    }

    /// Has a connection that came by a listener speak HTTP/2 from its first byte on, as who decrypts it agreed with its
    /// caller. Called on its event loop; one that is not decrypted says so itself, and begins with `handler`.
    static func speakHTTP2(on channel: any Channel, core: ServerCore, listener: Int) throws {
        let loopIndex = core.index(of: channel.eventLoop)
        try HTTP2CallerHandler.add(
            to: channel.pipeline.syncOperations, on: channel.eventLoop, limits: core.limits.connection,
            date: core.dates[loopIndex].value, budget: core.budget,
            reception: CallerReception(core: core, loopIndex: loopIndex, listener: listener))
    }

    var stall: TimeAmount { settings.times.stall }
    var isStopping: Bool { core.isStopping }

    // MARK: The connection

    func welcome(_ connection: any CallerConnection, on channel: any Channel) -> Welcome {
        if let text = channel.remoteAddress?.ipAddress { peer = text }
        peerPort = channel.remoteAddress?.port
        address = peer
        let caller = ConnectionTable.Caller(
            eventLoop: connection.eventLoop, listener: listener,
            connection: NIOLoopBound(connection, eventLoop: connection.eventLoop))
        guard core.connections.enter(ObjectIdentifier(connection), caller, address: AddressGroup(peer))
        else { return .isRefused(Refusal.tooManyCallers.answer) }
        guard core.isOver else { return .stays }
        core.connections.leave(ObjectIdentifier(connection), address: AddressGroup(self.peer))
        return .isClosed
    }

    func left(_ connection: any CallerConnection) {
        core.connections.leave(ObjectIdentifier(connection), address: AddressGroup(peer))
    }

    func refuse(_ fault: RequestFault) -> OwnAnswer {
        let refusal = Refusal(fault)
        if case .malformed(_, .some) = fault {
            core.tell("Connection is not HTTP", refusal, from: address)
        }
        return answer(refusal.answer, makeRecord("-", path: "-"))
    }

    // MARK: Requests

    func receive(
        _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        settings = core.settings
        let caller = settings.routes.caller(at: peer, head.fields)
        address = caller.text
        switch settings.routes.route(head) {
        case .healthCheck:
            var record = makeRecord(head.method, path: "/_health_check")
            record.level = .debug
            return .answer(answer(.healthy, record), closes: false)
        case .stats:
            let stats = OwnAnswer(200, line: core.stats(isDetailed: caller.isLocal))
            return .answer(answer(stats, makeRecord(head.method, path: "/_stats")), closes: false)
        case .tunnel where !stream.isWholeConnection:
            let refusal = answer(Refusal.notHTTP1.answer, makeRecord(head.method, path: "/_tunnel"))
            return .answer(refusal, closes: false)
        case .tunnel:
            return .upgrade(
                TunnelHandshake(core: core, settings: settings, address: address, endpoint: endpoint)
                    .upgrade(head, framing))
        case .refuse(.tunnelNotFound) where core.isOneGuessTooMany(from: address):
            return .answer(Refusal.tooManyGuesses.answer, closes: true)
        case .refuse(let error):
            return .answer(
                answer(Refusal(error).answer, makeRecord(head.method, path: "")), closes: false)
        case .forward(let route):
            let token = route.token
            guard !TokenRemoval.mayFind(token.secret, in: head.method) else {
                let error = HTTPMessageError(.malformed, "the method holds the token")
                return .answer(
                    answer(Refusal.malformed(error).answer, makeRecord("-", path: "-")), closes: true)
            }
            var request = head
            // The log shows it, too.
            request.target = TokenRemoval.clean(
                route.target, token: token.secret, basePath: route.policy.basePath)
            let path = TokenRemoval.masked(request.target)
            // Who asks how far it gets, not the origin (RFC 9110 §7.6.2).
            if request.takeHop() == 0 {
                let record = makeRecord(head.method, path: path)
                return .answer(answer(.hopsUsedUp(head.method), record), closes: false)
            }
            return .exchange(
                CallerExchange(
                    core: core, settings: settings, loopIndex: loopIndex, stream: stream, token: token,
                    request: request, forwarding: route.forwarding(from: peer, caller), framing: framing,
                    record: makeRecord(head.method, path: path, tokenHint: token.hint)))
        }
    }

    /// Who calls, with the port where that is known.
    private var endpoint: String {
        guard address == peer, let peerPort else { return address }
        return hostAndPort(peer, peerPort)
    }

    /// For the access log.
    ///
    /// - Parameters:
    ///   - method: "-" where there was no request that could be read.
    ///   - path: the target inside the tunnel.
    private func makeRecord(_ method: String, path: String, tokenHint: String? = nil) -> RequestRecord {
        core.makeRecord(
            method, path: path, tokenHint: tokenHint, caller: address, now: core.loops[loopIndex].now)
    }

    /// An answer of our own, which the record is told of.
    private func answer(_ answer: OwnAnswer, _ record: consuming RequestRecord) -> OwnAnswer {
        record.answeredHere(answer, now: core.loops[loopIndex].now)
        return answer
    }
}

/// What waits for callers comes out of the memory that streams have for theirs.
extension ProcessReceiveBudget: OutputBudget {}
