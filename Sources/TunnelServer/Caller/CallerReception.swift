import AgentStatus
import Glibc
import HTTPMessage
import HTTPServing
import HostSystem
import NIOCore
import Observability
import ProxyProtocol
import Routing
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// A tunnel client that speaks TLS inside what carries its session.
struct Insider {
    let address: String
    /// Whether that is ordinary requests.
    let isLongPoll: Bool
}

/// What the requests of one connection to a tunnel server are for, and who sends them.
final class CallerReception: RequestReception, ProxiedReception {
    let core: ServerCore
    private let loopIndex: Int
    /// By which listener the connection came.
    private let listener: Int
    /// TLS as it was when the connection came; nil where none is spoken.
    private let tls: ServerTLS?
    /// What the caller has shown, if anything.
    var shown: PeerCertificate?
    /// What the request under way began with, or the latest one.
    var settings: ServerSettings
    /// Inside whose carrier it stands: then nothing but a handshake is served.
    private let insider: Insider?
    /// The address that connected, or that a PROXY header names in its place.
    private(set) var peer = "unknown"
    private var peerPort: Int?
    /// The two as origins are told of them, once a request is for one.
    private lazy var source = CallerForwarding.Caller.source(peer, port: peerPort)
    private var isNamedByHeader = false
    /// Whether requests of long polling come by it.
    private var carriesTunnel = false
    /// Who calls, as far as is known from the latest request.
    var address = "unknown"
    private(set) lazy var observer = core.observer(on: loopIndex)
    /// The way that the latest request took to a tunnel, if the next ones may take it too.
    private var latestWay: CallerWay?
    /// When the request came that is gone on with, where that is not now.
    var arrival: NIODeadline?

    /// - Parameters:
    ///   - eventLoop: of the connection.
    ///   - listener: by which it came.
    ///   - tls: that it speaks, if any.
    ///   - insider: nil for a connection.
    init(
        core: ServerCore, on eventLoop: any EventLoop, listener: Int, tls: ServerTLS?, insider: Insider? = nil
    ) {
        self.insider = insider
        self.core = core
        self.loopIndex = core.index(of: eventLoop)
        self.listener = listener
        self.tls = tls
        self.settings = core.settings
        if let insider { peer = insider.address }
    }

    /// The handler of the connection. Called on its event loop.
    func makeHandler(on eventLoop: any EventLoop) -> CallerHandler {
        var limits = core.limits.connection
        limits.headTimeout = min(limits.headTimeout, TimeAmount(settings.callerLimits.headTimeout))
        return CallerHandler(
            on: eventLoop, limits: limits, date: core.dates[loopIndex].value,
            budget: core.budget, reception: self, isSecure: isSecure)
    }

    /// A PROXY header names the caller. Before the connection is welcome.
    func isCalled(from source: ProxyEndpoint) {
        peer = source.addressText
        peerPort = source.port == 0 ? nil : Int(source.port)
        isNamedByHeader = true
    }

    /// What the caller has shown, as far as it counts now: its authority is still the one that is asked for, and its time is
    /// not over.
    var certificate: PeerCertificate? {
        guard let shown, shown.notAfter >= time(nil),
            tls?.configuration.clientAuthority?.pem == settings.clientAuthority?.pem
        else { return nil }
        return shown
    }

    var isSecure: Bool { tls != nil }

    var stall: TimeAmount { settings.times.stall }
    var isStopping: Bool { core.isStopping }
    /// One that carries a tunnel goes on.
    var keepsNoConnections: Bool { core.gauge.keepsNoConnections && !carriesTunnel }

    // MARK: The connection

    func welcome(_ connection: any CallerConnection, on channel: any Channel) -> Welcome {
        if insider == nil, !isNamedByHeader {
            if let text = channel.remoteAddress?.ipAddress { peer = text }
            peerPort = channel.remoteAddress?.port
        }
        address = peer
        guard core.bans.timeLeft(of: peer) == nil else { return .isClosed }
        let caller = ConnectionTable.Caller(
            eventLoop: connection.eventLoop, listener: listener,
            connection: NIOLoopBound(connection, eventLoop: connection.eventLoop))
        let most = settings.connectionsPerAddress(from: peer) ?? core.limits.callersPerAddress
        let entry = core.connections.enter(
            ObjectIdentifier(connection), caller, address: AddressGroup(peer), most: most)
        if case .isRefused(let refusal, let isTold) = entry {
            core.incidents.connectionRefused(refusal.code)
            core.tell("Connection refused", refusal, from: peer)
            return isTold ? .isRefused(refusal.answer) : .isClosed
        }
        guard core.isOver else { return .stays }
        core.connections.leave(ObjectIdentifier(connection), address: AddressGroup(self.peer))
        return .isClosed
    }

    func left(_ connection: any CallerConnection) {
        core.connections.leave(ObjectIdentifier(connection), address: AddressGroup(peer))
    }

    func refuse(_ fault: RequestFault) -> OwnAnswer {
        // Who sent what makes no sense nobody has said.
        address = peer
        let refusal = Refusal(fault)
        if case .malformed(_, .some) = fault {
            core.tell("Connection is not HTTP", refusal, from: address)
        }
        return answer(refusal, makeRecord("-", path: "-"))
    }

    // MARK: Requests

    func receive(
        _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        let outcome = outcome(of: head, framing, for: stream)
        guard case .answer(let answer, let closes) = outcome else { return outcome }
        return .answer(answer.spoken(to: head.fields), closes: closes)
    }

    private func outcome(
        of head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        let settings = core.settings
        self.settings = settings
        let caller = settings.routes.caller(at: peer, head.fields)
        address = caller.text
        if let left = core.bans.timeLeft(of: address) {
            let refusal = Refusal.banned(left)
            observer.refused(refusal.code)
            return .answer(refusal.answer, closes: address == peer)
        }
        let route = settings.routes.route(head, claimed: core.hosts.owner, likely: latestWay?.token)
        guard insider == nil || route == .tunnel else {
            return .answer(
                answer(Refusal.notLongPoll, makeRecord(head.method, path: "-")), closes: true)
        }
        if settings.lacksCertificate(route, hasShown: certificate != nil) {
            return .answer(
                answer(Refusal.certificateRequired, makeRecord(head.method, path: "")), closes: false)
        }
        // Made for who needs it: to put it together is to copy all of it.
        var request: CallerRequest {
            CallerRequest(head: head, framing: framing, route: route, caller: caller, stream: stream)
        }
        if core.pause.isPaused, case .forward = route {
            return .answer(answer(Refusal.paused, record(of: request)), closes: false)
        }
        if core.gauge.refusesRequests, case .forward = route {
            var record = record(of: request)
            record.matters(.debug)
            return .answer(answer(Refusal.overloaded, record), closes: false)
        }
        guard let policy = settings.policy(for: route) else {
            return serve(head, framing, route, caller, for: stream, CallerTerms())
        }
        return admit(request, by: policy)
    }

    /// What comes of a request that may come.
    func serve(
        _ head: RequestHead, _ framing: BodyFraming, _ route: CallerRoute, _ caller: CallerAddress,
        for stream: any CallerStream, _ terms: CallerTerms
    ) -> RequestOutcome {
        switch route {
        case .healthCheck:
            var record = makeRecord(head.method, path: "/_health_check")
            record.matters(.debug)
            return .answer(answer(.healthy, record), closes: false)
        case .redirect(let location):
            let record = makeRecord(head.method, path: TokenRemoval.masked(head.target))
            return .answer(answer(.redirect(to: location), record), closes: false)
        case .challenge(let files):
            return .exchange(
                ChallengeExchange(
                    files: files, stream: stream,
                    record: makeRecord(head.method, path: TokenRemoval.masked(head.target))))
        case .stats:
            let stats = OwnAnswer(200, line: core.stats(isDetailed: caller.isLocal))
            return .answer(answer(stats, makeRecord(head.method, path: "/_stats")), closes: false)
        case .tunnel where !stream.isWholeConnection:
            let refusal = answer(Refusal.notHTTP1, makeRecord(head.method, path: "/_tunnel"))
            return .answer(refusal, closes: false)
        case .tunnel where insider == nil && handshake.asksForInnerTLS(head):
            return .upgrade(handshake.upgradeToInnerTLS(head, framing, listener: listener))
        case .tunnel: return .upgrade(handshake.upgrade(head, framing))
        case .poll: return poll(head, framing, for: stream)
        case .refuse(.tunnelNotFound) where core.isOneGuessTooMany(head.fields[.xToken] ?? "", from: address):
            observer.refused(.tooManyGuesses)
            return .answer(Refusal.tooManyGuesses.answer, closes: true)
        case .refuse(let error):
            return .answer(
                answer(Refusal(error), makeRecord(head.method, path: "")), closes: false)
        case .forward(let route): return forward(head, framing, route, caller, for: stream, terms)
        }
    }

    private func forward(
        _ head: RequestHead, _ framing: BodyFraming, _ route: Route, _ caller: CallerAddress,
        for stream: any CallerStream, _ terms: CallerTerms
    ) -> RequestOutcome {
        let token = route.token
        guard !TokenRemoval.mayFind(token.secret, in: head.method) else {
            let error = HTTPMessageError(.malformed, "the method holds the token")
            return .answer(answer(Refusal.malformed(error), makeRecord("-", path: "-")), closes: true)
        }
        var forwarded = head
        // The log shows it, too.
        forwarded.target = TokenRemoval.clean(
            route.target, token: token.secret, basePath: route.policy.basePath)
        let path = TokenRemoval.masked(forwarded.target)
        guard !core.blocked.contains(token) else {
            let record = makeRecord(head.method, path: path, tokenHint: token.hint)
            return .answer(answer(Refusal.tokenBlocked, record), closes: false)
        }
        // Who asks how far it gets, not the origin (RFC 9110 §7.6.2).
        if forwarded.takeHop() == 0 {
            let record = makeRecord(head.method, path: path)
            return .answer(answer(.hopsUsedUp(head.method), record), closes: false)
        }
        let pass: RequestPass?
        do throws(Refusal) {
            pass = try core.meter.admit(
                settings.limitedParties(route, head.fields, from: address), of: token, from: address,
                settings.callerLimits)
        } catch {
            var record = makeRecord(head.method, path: path, tokenHint: token.hint)
            record.matters(.debug)
            return .answer(answer(error, record), closes: false)
        }
        if route.target == WebSocketHandshake.rawEndpoint, WebSocketHandshake.asksForRaw(head) {
            return connect(head, to: token, for: stream, pass)
        }
        let way = way(of: route, caller, isHTTP2: !stream.isWholeConnection, terms.rewriting)
        let trace = core.trace(
            &forwarded.fields, isTrusted: caller.isPeerTrusted, isSecure: isSecure, loop: loopIndex)
        return .exchange(
            CallerExchange(
                core: core, settings: settings, loopIndex: loopIndex, stream: stream, token: token,
                isNamed: route.policy.namedBy == .host, request: forwarded, forwarding: way.forwarding,
                framing: framing, terms: terms,
                record: makeRecord(
                    head.method, path: path, tokenHint: way.tokenHint, externalID: terms.requestID,
                    trace: trace),
                pass: pass))
    }

    /// A connection to the service behind a tunnel, in the messages of a WebSocket.
    private func connect(
        _ head: RequestHead, to token: RendezvousToken, for stream: any CallerStream, _ pass: RequestPass?
    ) -> RequestOutcome {
        let record = makeRecord(
            head.method, path: WebSocketHandshake.rawEndpoint, tokenHint: token.hint)
        guard let grant = WebSocketHandshake.grantOfRaw(head) else {
            pass?.leave()
            return .answer(answer(Refusal.notWebSocket, record), closes: true)
        }
        let exchange = ConnectExchange(on: stream, grant: grant)
        exchange.carry(
            CallerExchange(
                core: core, settings: settings, loopIndex: loopIndex, stream: exchange, token: token,
                request: RawStream.request(caller: endpoint, local: nil), forwarding: nil, framing: .none,
                record: record, pass: pass))
        return .exchange(exchange)
    }

    private var handshake: TunnelHandshake {
        TunnelHandshake(
            core: core, settings: settings, address: address, endpoint: endpoint, certificate: certificate,
            authority: settings.clientAuthority, isSecure: isSecure,
            isLongPoll: insider?.isLongPoll == true)
    }

    /// One request of the long-poll carrier: the first of a session, or one of those that carry it.
    private func poll(
        _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        guard let name = head.fields.first(named: LongPollHTTP.sessionField) else {
            do throws(Refusal) {
                return .exchange(
                    LongPollOpeningExchange(
                        try handshake.openLongPoll(head, framing, listener: listener, on: stream.eventLoop),
                        on: stream))
            } catch {
                handshake.report(error, head, on: stream.eventLoop)
                return .answer(error.answer, closes: framing != .none)
            }
        }
        guard let seat = LongPollTable.ofProcess.seat(named: name, now: stream.eventLoop.now),
            seat.certificateName == certificate?.name
        else { return .answer(Refusal.unknownSession.answer, closes: framing != .none) }
        carriesTunnel = true
        guard head.method == "POST", framing != .none, framing != .length(0) else {
            return .answer(Refusal.notLongPoll.answer, closes: framing != .none)
        }
        let isAsked = head.fields.list(.expect, contains: "100-continue")
        return .exchange(LongPollExchange(seat, isAsked: isAsked, on: stream))
    }

    /// What is the same for all requests of the connection that take a route as this one does.
    private func way(
        of route: Route, _ caller: CallerAddress, isHTTP2: Bool, _ rewriting: FieldRewriting?
    ) -> CallerWay {
        let certificateName = settings.tellsOriginsCertificates ? certificate?.name : nil
        if let latestWay, rewriting == nil, !caller.isPeerTrusted,
            latestWay.fits(route, settings, certificateName, isHTTP2: isHTTP2)
        {
            return latestWay
        }
        let sender = CallerForwarding.Caller(
            peer: peer, source: source, isPeerTrusted: caller.isPeerTrusted, described: caller.described,
            isSecure: isSecure, isHTTP2: isHTTP2, certificateName: certificateName)
        let forwarding = route.forwarding(
            from: sender, tellsAll: settings.tellsAllOfCallers, rewriting: rewriting,
            memory: core.heads[loopIndex].value)
        let way = CallerWay(route, settings, forwarding)
        latestWay = rewriting == nil && !caller.isPeerTrusted ? way : nil
        return way
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
    ///   - externalID: what all who have the request call it.
    ///   - trace: that it belongs to.
    func makeRecord(
        _ method: String, path: String, tokenHint: String? = nil, externalID: String? = nil,
        trace: RequestTrace? = nil
    ) -> RequestRecord {
        core.makeRecord(
            method, path: path, tokenHint: tokenHint, externalID: externalID, caller: address,
            observer: observer, certificateName: certificate?.name, trace: trace,
            now: arrival ?? core.loops[loopIndex].now)
    }

    /// An answer that says why not, which the record is told of.
    func answer(_ refusal: Refusal, _ record: consuming RequestRecord) -> OwnAnswer {
        observer.refused(refusal.code)
        return answer(refusal.answer, record)
    }

    /// An answer of our own, which the record is told of.
    func answer(_ answer: OwnAnswer, _ record: consuming RequestRecord) -> OwnAnswer {
        record.answeredHere(answer, now: core.loops[loopIndex].now)
        return answer
    }
}

/// What waits for callers comes out of the memory that streams have for theirs.
extension ProcessReceiveBudget: OutputBudget {}
