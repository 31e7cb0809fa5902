import Glibc
import HostSystem
import Logging
import NIOCore
import Observability
import Routing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

/// The server's side of one session: enters it into the registry and takes it out again. Bound to the session's
/// event loop.
final class ServerSession: SessionOwner {
    /// How long an older session of the same connection has to prove that it lives.
    static let probePatience: TimeAmount = .seconds(3)
    /// How much of a client's own words is kept.
    private static let longestSoftware = 256

    private let core: ServerCore
    private let credentials: TunnelCredentials
    private let client: ClientIdentity
    private let id: UInt64
    private let address: String
    private let endpoint: String
    private let certificateName: String?
    private let dialsAgain: Bool
    private let isLongPoll: Bool
    private let eventLoop: any EventLoop
    private var logger: Logger
    /// The keepalive timeout that it began with.
    private var keepalive = Duration.zero
    /// Whether there is room for it: more may have knocked at the same time.
    private var hasRoom = true

    /// - Parameters:
    ///   - address: of the peer.
    ///   - endpoint: the same with its port, where that is known.
    ///   - certificateName: in what the peer has shown, if anything.
    ///   - isLongPoll: whether it goes by requests.
    ///   - dialsAgain: whether its client is asked to dial once more, for a better seat.
    init(
        core: ServerCore, credentials: TunnelCredentials, client: ClientIdentity, address: String,
        endpoint: String, certificateName: String?, isLongPoll: Bool = false, dialsAgain: Bool = false,
        eventLoop: any EventLoop
    ) {
        self.core = core
        self.credentials = credentials
        self.client = client
        self.id = core.nextSessionID()
        self.address = address
        self.endpoint = endpoint
        self.certificateName = certificateName
        self.dialsAgain = dialsAgain
        self.isLongPoll = isLongPoll
        self.eventLoop = eventLoop
        self.logger = core.logger
        logger[.sessionID] = .stringConvertible(id)
        logger[.tokenHint] = "\(token.hint)"
        logger[.peerAddress] = "\(address)"
        if let certificateName { logger[.certificateName] = "\(certificateName)" }
    }

    private var token: RendezvousToken { credentials.token }

    /// Makes the session.
    ///
    /// - Parameter oldSoftware: what a client of protocol v1 says it is; nil for one of v2.
    func makeSession(oldSoftware: String?) -> any Session {
        let limits = core.sessionLimits(core.settings)
        let budget = core.budgets.budget(of: token)
        keepalive = limits.keepaliveTimeout
        let session: any Session =
            if let oldSoftware {
                MessageSession(
                    role: .opener, limits: limits,
                    peer: String(oldSoftware.prefix(Self.longestSoftware)), budget: budget,
                    numbering: core.registry.numbering(
                        token, client: client, isListed: core.settings.lists(token)),
                    owner: self, now: eventLoop.instant)
            } else {
                MuxSession(
                    role: .opener, limits: limits, settings: core.sessionSettings(limits),
                    budget: budget, owner: self, now: eventLoop.instant)
            }
        let reference = SessionReference(session, eventLoop: eventLoop)
        hasRoom = core.connections.enter(
            id,
            ConnectionTable.Session(
                reference: reference, credentials: credentials, address: client.process.address,
                isLongPoll: isLongPoll),
            core.sessionCountLimits(core.settings))
        return session
    }

    func sessionReady(_ session: any Session, peer: SessionSettings) {
        let served = ServedSession(
            reference: SessionReference(
                session, eventLoop: eventLoop, takesRawStreams: peer.features.contains(.rawStreams)),
            address: address,
            endpoint: endpoint, software: peer.software, tunnelName: peer.tunnelName,
            protocolVersion: peer.version, certificateName: certificateName, since: time(nil))
        let about = SessionPeer(address: address, endpoint: endpoint, software: peer.software)
        logger[.tunnelName] = "\(peer.tunnelName)"
        // An update that came while it was on its way may not have found it.
        let settings = core.settings
        guard hasRoom, settings.admission.admits(credentials) else {
            session.turnAway()
            return
        }
        guard !dialsAgain else {
            logger.debug("Session is to sit on another event loop: its client dials again")
            session.drain(reason: "another event loop has fewer of the tunnel's sessions")
            return
        }
        if settings.times.keepalive != keepalive { session.setKeepaliveTimeout(settings.times.keepalive) }
        let arrival = core.registry.join(token, served, client) { handle in
            TunnelRegistry.Table.Member(
                id: id, session: handle, loop: core.index(of: eventLoop),
                capacity: min(peer.maximumStreams, settings.limits.requestsPerSession), client: client,
                isSerial: peer.version == .v1, peer: about)
        }
        guard let arrival else {
            session.turnAway()
            return
        }
        for older in arrival.older { older.perform { $0.probe(within: Self.probePatience) } }
        logger.info(
            "Session joined",
            metadata: [
                .peerSoftware: "\(peer.software.isEmpty ? "unknown" : peer.software)",
                .protocolVersion: .stringConvertible(peer.version.rawValue),
                .transport: isLongPoll ? "longpoll" : "websocket",
            ])
        if arrival.isFromElsewhere {
            logger.notice("Session joined from a new address, while others serve its token")
        }
        core.names.lookUp(address)
        core.sessionAsksForNames(id, token, claims: peer.hosts, session: session, logger: logger)
        if core.isStopping { session.drain(reason: "the tunnel server is stopping") }
    }

    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {
        // The session machine lets no peer of a server open streams.
        session.reset(id, .refused)
    }

    func session(_ session: any Session, measured roundTrip: Duration) {
        core.counts[core.index(of: eventLoop)].counts.measured(roundTrip: roundTrip)
    }

    func sessionPeerDrains(_ session: any Session, reason: String) {
        core.registry.drain(id)
        core.sessionGivesUpNames(id, isOrderly: true)
        logger.debug("Session draining", metadata: [.closeReason: "\(reason)"])
    }

    func session(_ session: any Session, becameOccupied isOccupied: Bool) {
        core.registry.setOccupied(id, isOccupied)
    }

    func sessionCannotSpill(_ session: any Session, reason: String) {
        logger.warning(
            "Cannot keep a slow message in a file", metadata: [.errorMessage: "\(reason)"])
    }

    func sessionEnded(_ session: any Session, _ end: SessionEnd) {
        core.registry.leave(id, isListed: core.settings.lists(token))
        core.sessionGivesUpNames(id, isOrderly: core.isStopping)
        core.connections.leave(session: id)
        core.incidents.sessionEnded(end.code)
        logger.info(
            "Session left", metadata: [.errorCode: .code(end.code), .closeReason: "\(end.message)"])
    }
}
