import HTTPMessage
import HTTPServing
import NIOCore
import Synchronization

/// Whom a connection to the admin API is for.
final class AdminReception: RequestReception {
    /// Time that a connection may wait for its next request. Short: places are few.
    private static let mostIdle: TimeAmount = .seconds(5)

    private let door: AdminDoor
    private let requests: AsyncStream<AdminRequest>.Continuation
    let stall: TimeAmount
    /// Whether who asks is on this machine.
    private var isOwn = true

    /// The handler of a connection. Called on its event loop.
    ///
    /// - Parameters:
    ///   - patience: time for a request to come, and for its answer to be taken.
    ///   - requests: where whole requests go.
    static func handler(
        on eventLoop: any EventLoop, _ door: AdminDoor, patience: TimeAmount,
        requests: AsyncStream<AdminRequest>.Continuation
    ) -> CallerHandler {
        var limits = ConnectionLimits()
        limits.headTimeout = patience
        limits.idleTimeout = min(patience, mostIdle)
        return CallerHandler(
            on: eventLoop, limits: limits, date: DateStamp(), budget: nil,
            reception: AdminReception(door, patience, requests))
    }

    private init(
        _ door: AdminDoor, _ patience: TimeAmount, _ requests: AsyncStream<AdminRequest>.Continuation
    ) {
        self.door = door
        self.stall = patience
        self.requests = requests
    }

    var isStopping: Bool { door.isClosed }

    func welcome(_ connection: CallerHandler, on channel: any Channel) -> Welcome {
        // By a Unix socket there are no addresses.
        isOwn = channel.remoteAddress?.ipAddress == channel.localAddress?.ipAddress
        return door.enter(isOwn: isOwn) ? .stays : .isClosed
    }

    func left(_ connection: CallerHandler) { door.leave(isOwn: isOwn) }

    func receive(
        _ head: RequestHead, _ framing: BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        .exchange(AdminExchange(head, framing, on: stream, patience: stall, requests: requests))
    }

    func refuse(_ fault: RequestFault) -> OwnAnswer {
        switch fault {
        case .headTimeout: .adminError(408, "the request did not come in time")
        case .malformed(_, .tls): .adminError(400, "this port speaks plain HTTP, not TLS: use http://")
        case .malformed(let error, _): .adminError(error.status, "\(error)")
        }
    }
}

/// Whether more connections may come in: there are few at once.
final class AdminDoor: Sendable {
    private let all = Atomic<Int>(0)
    private let others = Atomic<Int>(0)
    private let closed = Atomic<Bool>(false)

    /// - Parameter isOwn: whether it comes from this machine.
    /// - Returns: false when there are too many.
    func enter(isOwn: Bool) -> Bool {
        let hasPlace = isOwn || others.add(1, ordering: .relaxed).newValue <= AdminServer.mostOfOthers
        if all.add(1, ordering: .relaxed).newValue <= AdminServer.mostConnections, hasPlace { return true }
        leave(isOwn: isOwn)
        return false
    }

    func leave(isOwn: Bool) {
        all.subtract(1, ordering: .relaxed)
        if !isOwn { others.subtract(1, ordering: .relaxed) }
    }

    /// Each connection ends behind its next answer.
    func close() { closed.store(true, ordering: .releasing) }

    var isClosed: Bool { closed.load(ordering: .acquiring) }
}
