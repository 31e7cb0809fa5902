import HTTPMessage
import HTTPServing
import NIOCore

/// Whom a connection to the admin API is for.
final class AdminReception: RequestReception {
    /// Time that a connection may wait for its next request. Short: places are few.
    static let mostIdle: TimeAmount = .seconds(5)
    /// Time that a server which stops leaves who was answered last, to send another request: round trips are short.
    private static let leaveTimeout: TimeAmount = .milliseconds(200)
    /// Time that what comes behind the last answer is read and dropped.
    private static let longestLingering: TimeAmount = .seconds(3)

    private let door: AdminDoor
    private let requests: AsyncStream<AdminRequest>.Continuation
    /// Who asks, as the log is told.
    private var peer: String
    let stall: TimeAmount

    /// The handler of a connection. Called on its event loop.
    ///
    /// - Parameters:
    ///   - patience: time for a request to come, and for its answer to be taken.
    ///   - requests: where whole requests go.
    ///   - user: at the other end of a Unix socket, by number; nil of any other.
    static func handler(
        on eventLoop: any EventLoop, _ door: AdminDoor, patience: TimeAmount,
        requests: AsyncStream<AdminRequest>.Continuation, user: UInt32? = nil
    ) -> CallerHandler {
        var limits = ConnectionLimits()
        limits.headTimeout = patience
        limits.idleTimeout = min(patience, mostIdle)
        limits.leaveTimeout = leaveTimeout
        limits.longestLingering = longestLingering
        return CallerHandler(
            on: eventLoop, limits: limits, date: DateStamp(), budget: nil,
            reception: AdminReception(door, patience, requests, user))
    }

    private init(
        _ door: AdminDoor, _ patience: TimeAmount, _ requests: AsyncStream<AdminRequest>.Continuation,
        _ user: UInt32?
    ) {
        self.peer = user.map { "user \($0)" } ?? "unknown"
        self.door = door
        self.stall = patience
        self.requests = requests
    }

    var isStopping: Bool { door.isClosed }

    func welcome(_ connection: any CallerConnection, on channel: any Channel) -> Welcome {
        // By a Unix socket there are no addresses.
        let isOwn = channel.remoteAddress?.ipAddress == channel.localAddress?.ipAddress
        let (eventLoop, handler) = (
            connection.eventLoop, NIOLoopBound(connection, eventLoop: connection.eventLoop)
        )
        if let address = channel.remoteAddress?.ipAddress { peer = address }
        let hasPlace = door.enter(ObjectIdentifier(connection), isOwn: isOwn) {
            eventLoop.execute { handler.value.stop() }
        }
        return hasPlace ? .stays : .isClosed
    }

    func left(_ connection: any CallerConnection) { door.leave(ObjectIdentifier(connection)) }

    func receive(
        _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        .exchange(AdminExchange(head, framing, on: stream, from: peer, patience: stall, requests: requests))
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
