import AgentStatus
import Glibc
import NIOCore
import Synchronization
import TunnelProtocol
import TunnelTransport

/// The life of one session, from the dial to its end: what the keeper of a connection waits for, and how it ends
/// the session from any thread.
final class SessionLife: Sendable {
    private enum Phase {
        case dialling
        /// The handshake is done.
        case open(SessionReference)
        /// The server said who it is, at that time in seconds since 1970.
        case ready(SessionReference, since: Int)
        case over

        var session: SessionReference? {
            switch self {
            case .open(let session), .ready(let session, _): session
            case .dialling, .over: nil
            }
        }
    }

    private struct State {
        var phase = Phase.dialling
        var version = ProtocolVersion.v1
        /// Whether one of the two ends is leaving.
        var isLeaving = false
        /// By what it goes, and since when, once it has begun.
        var way: TransportChoice.Way?
        var openedAt: ContinuousClock.Instant?
        /// Whether another session is to take its place that is better.
        var isOutdated = false
        /// Whether the server has said who it is.
        var wasReady = false
        /// Whether the session is to be closed, perhaps before it is there.
        var isUnwanted = false
    }

    private enum Ending {
        case drain(SessionReference)
        case close(SessionReference)
    }

    /// Unique in the process.
    let id = SessionNumber.next()
    private let wasReleased: EventLoopPromise<Void>
    private let hasEnded: EventLoopPromise<SessionEnd>
    /// Which of the tunnel's connections it is.
    let slot: Int
    private let state = Mutex(State())

    init(on eventLoop: any EventLoop, slot: Int = 0) {
        self.slot = slot
        wasReleased = eventLoop.makePromise()
        hasEnded = eventLoop.makePromise()
    }

    /// Whether the session has ended, or never began.
    var isOver: Bool {
        state.withLock { if case .over = $0.phase { true } else { false } }
    }

    /// What the session speaks, once it has begun.
    var version: ProtocolVersion { state.withLock { $0.version } }

    /// By what the session goes, once it has begun.
    var way: TransportChoice.Way? { state.withLock { $0.way } }

    /// How long ago it began, if it did.
    var age: Duration? { state.withLock { $0.openedAt }.map { .now - $0 } }

    /// Whether the server has said who it is.
    var wasReady: Bool { state.withLock { $0.wasReady } }

    /// Whether another is to take its place although it may stay.
    var givesWay: Bool { state.withLock { $0.isOutdated } }

    /// Whether requests can come.
    var isReady: Bool {
        state.withLock { if case .ready = $0.phase { true } else { false } }
    }

    /// Whether there is a session.
    var isUp: Bool { state.withLock { $0.phase.session != nil } }

    /// Whether one of the two ends is leaving, or was when it ended.
    var isLeaving: Bool { state.withLock { $0.isLeaving } }

    /// What there is to tell; nil when no requests can come.
    var snapshot: ConnectionSnapshot? {
        state.withLock { state in
            guard case .ready(_, let since) = state.phase else { return nil }
            return ConnectionSnapshot(
                id: id, protocolVersion: state.version.rawValue, since: since, isDraining: state.isLeaving,
                transport: state.way == .longPoll ? .longpoll : .websocket)
        }
    }

    /// Changes how long the server may be silent; a session that has not begun is told later, by its maker.
    func setKeepaliveTimeout(_ timeout: Duration) {
        state.withLock { $0.phase.session }?.perform { $0.setKeepaliveTimeout(timeout) }
    }

    /// Has it give back what it keeps for the next request, where it has none.
    func giveBackMemory() {
        state.withLock { $0.phase.session }?.perform { $0.giveBackMemory() }
    }

    // MARK: What happens to the session

    /// The handshake is done. Called on the event loop, before the session has its carrier.
    ///
    /// - Parameter version: what it speaks.
    func began(
        _ session: SessionReference, version: ProtocolVersion = .v2, way: TransportChoice.Way = .webSocket
    ) {
        let isUnwanted = state.withLock { state in
            state.way = way
            state.openedAt = .now
            state.phase = .open(session)
            state.version = version
            return state.isUnwanted
        }
        if isUnwanted { session.perform { $0.close() } }
    }

    /// The server said who it is.
    func ready() {
        state.withLock { state in
            state.wasReady = true
            if let session = state.phase.session { state.phase = .ready(session, since: time(nil)) }
        }
    }

    /// The server is leaving.
    func released() {
        state.withLock { $0.isLeaving = true }
        wasReleased.succeed()
    }

    /// There is a better way now: another session is to take its place, and then it is to be stopped.
    func giveWay() {
        state.withLock { $0.isOutdated = true }
        released()
    }

    func ended(_ end: SessionEnd) {
        state.withLock { $0.phase = .over }
        wasReleased.succeed()
        hasEnded.succeed(end)
    }

    /// The dial failed: none of it will happen.
    func neverBegan() { ended(.closedByUs) }

    // MARK: What its keeper does

    /// Calls on the event loop when the session takes no new requests any more, or has ended.
    func whenReleased(_ call: @escaping @Sendable () -> Void) {
        wasReleased.futureResult.whenComplete { _ in call() }
    }

    /// Calls on the event loop when the session has ended.
    func whenEnded(_ call: @escaping @Sendable (SessionEnd) -> Void) {
        hasEnded.futureResult.whenSuccess(call)
    }

    /// Finishes what is in flight and closes the session then; at once when the server has not said who it is.
    func stop(reason: String = "the tunnel client is stopping") {
        let ending = state.withLock { state -> Ending? in
            state.isLeaving = true
            if case .ready(let session, _) = state.phase, !state.isUnwanted { return .drain(session) }
            state.isUnwanted = true
            return state.phase.session.map { .close($0) }
        }
        switch ending {
        case .drain(let session): session.perform { $0.drain(reason: reason) }
        case .close(let session): session.perform { $0.close() }
        case nil: break
        }
        wasReleased.succeed()
    }

    /// The same, in a while.
    func stop(in time: TimeAmount, on eventLoop: any EventLoop) {
        eventLoop.scheduleTask(in: time) { self.stop() }
    }

    /// Closes the session at once, or as soon as it begins.
    func close() {
        let session = state.withLock { state in
            state.isUnwanted = true
            return state.phase.session
        }
        session?.perform { $0.close() }
    }
}

/// Sessions of one connection whose server is leaving, while what is in flight there finishes. A server that says
/// so again and again, and stays, does not pile them up.
struct LeavingSessions {
    /// Most sessions that are left to finish.
    static let most = 4

    private var lives: [SessionLife] = []

    /// - Parameter life: released.
    /// - Returns: the oldest when there are too many: it is to be closed.
    mutating func add(_ life: SessionLife) -> SessionLife? {
        lives.removeAll { $0.isOver }
        guard !life.isOver else { return nil }
        lives.append(life)
        return lives.count > Self.most ? lives.removeFirst() : nil
    }
}
