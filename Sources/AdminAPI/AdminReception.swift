import HTTPMessage
import HTTPServing
import HostSystem
import NIOCore
import TransportSecurity

/// Whom a connection to the admin API is for.
final class AdminReception: RequestReception {
    /// Time that a connection may wait for its next request. Short: places are few.
    static let mostIdle: TimeAmount = .seconds(5)
    /// Time that a server which stops leaves who was answered last, to send another request: round trips are short.
    private static let leaveTimeout: TimeAmount = .milliseconds(200)
    /// Time that what comes behind the last answer is read and dropped.
    private static let longestLingering: TimeAmount = .seconds(3)

    private let door: AdminDoor
    private let gate: AdminGate
    private let requests: AsyncStream<AdminRequest>.Continuation
    /// At the other end of a Unix socket, by number.
    private let user: UInt32?
    let stall: TimeAmount
    private var connection: AdminConnection
    private var peer: String?

    /// Has a connection serve the API, by handlers at the end of its pipeline. Called on its event loop.
    ///
    /// - Parameters:
    ///   - patience: time for a request to come, and for its answer to be taken.
    ///   - requests: where whole requests go.
    ///   - user: at the other end of a Unix socket, by number; nil of any other.
    static func add(
        to channel: any Channel, _ door: AdminDoor, _ gate: AdminGate, patience: TimeAmount,
        requests: AsyncStream<AdminRequest>.Continuation, user: UInt32? = nil
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        let tls = gate.access.tls
        let reception = AdminReception(door, gate, tls, patience, requests, user)
        let date = DateStamp()
        if let tls { try SecureEntrance.add(tls, to: pipeline, reception: reception, date: date) }
        var limits = ConnectionLimits()
        limits.headTimeout = patience
        limits.idleTimeout = min(patience, mostIdle)
        limits.leaveTimeout = leaveTimeout
        limits.longestLingering = longestLingering
        try pipeline.addHandler(
            CallerHandler(
                on: channel.eventLoop, limits: limits, date: date, budget: nil, reception: reception,
                isSecure: tls != nil))
    }

    private init(
        _ door: AdminDoor, _ gate: AdminGate, _ tls: ServerTLS?, _ patience: TimeAmount,
        _ requests: AsyncStream<AdminRequest>.Continuation, _ user: UInt32?
    ) {
        self.user = user
        self.door = door
        self.gate = gate
        self.connection = AdminConnection(tls: tls)
        self.stall = patience
        self.requests = requests
    }

    var isStopping: Bool { door.isClosed }

    func welcome(_ connection: any CallerConnection, on channel: any Channel) -> Welcome {
        peer = channel.remoteAddress?.ipAddress
        // By a Unix socket there are no addresses.
        let isOwn = channel.remoteAddress?.ipAddress == channel.localAddress?.ipAddress
        let (eventLoop, handler) = (
            connection.eventLoop, NIOLoopBound(connection, eventLoop: connection.eventLoop)
        )
        let hasPlace = door.enter(ObjectIdentifier(connection), isOwn: isOwn) {
            eventLoop.execute { handler.value.stop() }
        }
        return hasPlace ? .stays : .isClosed
    }

    func left(_ connection: any CallerConnection) { door.leave(ObjectIdentifier(connection)) }

    func receive(
        _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        .exchange(
            AdminExchange(
                head, framing, gate.access.entry(of: head, by: connection, now: UnixTime.now), gate: gate,
                on: stream, from: user.map { "user \($0)" } ?? peer ?? "unknown", patience: stall,
                requests: requests))
    }

    func refuse(_ fault: RequestFault) -> OwnAnswer {
        switch fault {
        case .headTimeout: .adminTimeout
        case .malformed(_, .tls): .adminError(400, "this port speaks plain HTTP, not TLS: use http://")
        case .malformed(_, .proxyProtocol):
            .adminError(400, "the PROXY protocol is not understood here: switch it off in what stands before")
        case .malformed(let error, nil): .adminError(error.status, "\(error)")
        }
    }
}

extension AdminReception: SecureReception {
    func identified(_ certificate: PeerCertificate?) { connection.certificate = certificate }

    func tlsFailed(_ words: String) { gate.tell(.tls, words, from: peer) }

    func refusePlainSpeech() -> OwnAnswer {
        gate.tell(.plain, from: peer)
        return .adminError(400, "this port speaks TLS: use https://")
    }
}
