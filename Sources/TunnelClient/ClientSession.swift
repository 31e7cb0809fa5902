import AgentStatus
import HTTPMessage
import HostSystem
import Logging
import NIOCore
import Observability
import OriginHTTP
import Synchronization
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// The client's side of one session: takes its streams to the origins. Bound to the session's event loop.
final class ClientSession: SessionOwner {
    /// Exchanges begun before the event loop looks at its sockets again.
    private static let beginsPerTurn = 16
    /// The most memory that is kept for heads of answers, in bytes.
    private static let mostMemory = 2 << 10

    private let setup: CurrentSetup
    private let identity: TunnelIdentity
    let counts: TunnelCounts
    private let limits: SessionLimits
    private let eventLoop: any EventLoop
    private let life: SessionLife
    /// Called once the server hands out requests to the session.
    private let onUp: () -> Void
    /// Whether the server speaks protocol v1: it leaves the token where callers put it, and passes on what they write.
    private var isOldServer = false
    private var logger: Logger
    private var arrivals = Arrivals()
    private var isBeginning = false
    /// What heads of answers are written into, empty.
    private var memory = ByteBuffer()

    /// Call on the event loop.
    init(
        setup: CurrentSetup, identity: TunnelIdentity, limits: SessionLimits, eventLoop: any EventLoop,
        life: SessionLife, logger: Logger, onUp: @escaping () -> Void
    ) {
        self.setup = setup
        self.identity = identity
        self.counts = identity.counts(on: eventLoop)
        counts.goTo(setup)
        self.limits = limits
        self.eventLoop = eventLoop
        self.life = life
        self.onUp = onUp
        self.logger = logger
        self.logger[.sessionID] = .stringConvertible(life.id)
    }

    func sessionReady(_ session: any Session, peer: SessionSettings) {
        logger.tell(
            .sessionUp, .info, "Session ready",
            metadata: [
                .sessionID: .stringConvertible(life.id), .peerSoftware: "\(peer.software)",
                .protocolVersion: .stringConvertible(peer.version.rawValue),
            ],
            detail: "with \(peer.software)")
        life.ready()
        isOldServer = peer.version == .v1
        if !peer.features.contains(.hostNames) { noNames(peer.software) }
    }

    func session(_ session: any Session, ruledOn rulings: [HostRuling]) {
        for ruling in identity.hosts.news(in: rulings) {
            if ruling.isGranted {
                logger.notice(
                    "Host name granted",
                    metadata: [.hostClaim: "\(ruling.claim)", .hostName: "\(ruling.text)"])
            } else {
                logger.warning(
                    "Host name refused",
                    metadata: [
                        .hostClaim: "\(ruling.claim)", .errorMessage: "\(ruling.text)",
                    ])
            }
        }
    }

    /// The server gives out none, and says nothing of it.
    private func noNames(_ software: String) {
        let claims = setup.value.configuration.hosts
        guard !claims.isEmpty else { return }
        let words = "the server (\(software)) is older than host names"
        let rulings = claims.map { HostRuling(claim: $0, isGranted: false, text: words) }
        guard !identity.hosts.news(in: rulings).isEmpty else { return }
        logger.warning("Host names refused", metadata: [.errorMessage: "\(words)"])
    }

    func sessionServes(_ session: any Session) { onUp() }

    func sessionWasAnswered(_ session: any Session) {
        setup.statusFile?.serverWasHeard()
    }

    func session(_ session: any Session, measured roundTrip: Duration) {
        counts.measured(roundTrip: roundTrip)
    }

    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {
        let stream = OriginStream(
            session: session, id: id, isRequestWhole: isLast, owner: self, clock: eventLoop)
        session.accept(id, receiver: stream)
        arrivals.append(Arrival(stream: stream, head: head, isLast: isLast))
        guard !isBeginning else { return }
        isBeginning = true
        eventLoop.assumeIsolated().execute { self.beginSome() }
    }

    /// Begins what waits, a few at a time: a server that asks for very much at once must not hold up the other
    /// sessions of the event loop.
    private func beginSome() {
        var count = 0
        while count < Self.beginsPerTurn, let arrival = arrivals.next() {
            begin(arrival)
            count += 1
        }
        isBeginning = !arrivals.isEmpty
        guard isBeginning else { return }
        // A task for at once would run before sockets are looked at.
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(1)) { self.beginSome() }
    }

    private func begin(_ arrival: Arrival) {
        let stream = arrival.stream
        stream.isTaken()
        do throws(HTTPMessageError) {
            var request = try RequestHead(whole: arrival.head, limits: limits.headLimits)
            let framing = try Self.framing(request, isLast: arrival.isLast)
            if isOldServer { removeToken(&request, arrival.head) }
            let entrance = isOldServer ? TunnelEntrance() : TunnelEntrance(request.fields)
            let destination: Destination
            do throws(OriginRefusal) {
                destination = try setup.directory.destination(of: &request, from: entrance)
            } catch {
                return stream.refuse(error.status, error.words, to: request)
            }
            // Handed on: as long as it is here too, to change its fields copies them.
            stream.begin(consume request, at: destination, framing: framing, on: eventLoop)
        } catch {
            stream.refuseMalformed("\(error)")
        }
    }

    private func removeToken(_ request: inout RequestHead, _ head: ByteBuffer) {
        let configuration = setup.value.configuration
        let token = configuration.token.secret
        guard TokenRemoval.mayFind(token, in: head) else { return }
        TokenRemoval(token: token, basePath: configuration.tunnel.basePath).clean(&request)
    }

    /// The tunnel tells the end of a body by itself; the origin must be told in HTTP's ways.
    static func framing(
        _ request: RequestHead, isLast: Bool
    ) throws(HTTPMessageError) -> BodyFraming {
        // Also one that may not pass: no body comes, only what follows an upgrade would.
        if request.asksForUpgrade { return .none }
        let length = try request.fields.contentLength()
        if isLast {
            guard length ?? 0 == 0 else { throw HTTPMessageError(.truncated, "a promised body is missing") }
            return .none
        }
        return length.map { $0 == 0 ? .none : .length($0) } ?? .chunked
    }

    /// Has the head of an answer sent.
    func respond(
        _ id: StreamID, by session: any Session, _ head: ResponseHead, isLast: Bool, after time: UInt32?
    ) {
        var bytes = memory
        memory = ByteBuffer()
        bytes.writeResponseHead(head)
        session.respond(id, head: bytes, isInterim: head.isInterim, isLast: isLast, originTime: time)
        guard bytes.storageCapacity <= Self.mostMemory else { return }
        bytes.clear(minimumCapacity: 0)
        memory = bytes
    }

    func originFailed(_ id: StreamID, _ error: OriginError) {
        counts.originFailed(error.errorCode)
        let fields: LogFields = [
            .streamID: .stringConvertible(id.rawValue), .errorCode: .code(error.errorCode),
            .errorMessage: "\(error.message)",
        ]
        logger.warning("Origin failed", metadata: fields)
        // Callers bring that about.
        guard identity.originFailures.withLock({ $0.happened() }) != nil else { return }
        logger.publish(.error, "Origin failed", Logger.Metadata(fields))
    }

    func sessionPeerDrains(_ session: any Session, reason: String) {
        logger.info("Server is leaving", metadata: [.closeReason: "\(reason)"])
        life.released()
    }

    func sessionCannotSpill(_ session: any Session, reason: String) {
        logger.warning(
            "Cannot keep a slow message in a file", metadata: [.errorMessage: "\(reason)"])
    }

    func sessionEnded(_ session: any Session, _ end: SessionEnd) {
        life.ended(end)
    }
}
