import HTTPMessage
import Logging
import NIOCore
import Observability
import OriginHTTP
import TunnelProtocol
import TunnelTransport

/// The client's side of one session: takes its streams to the origins. Bound to the session's event loop.
final class ClientSession: SessionOwner {
    private let directory: OriginDirectory
    private let rules: OriginRules
    private let limits: SessionLimits
    private let eventLoop: any EventLoop
    private let life: SessionLife
    private var logger: Logger

    init(
        directory: OriginDirectory, limits: SessionLimits, eventLoop: any EventLoop, life: SessionLife,
        logger: Logger
    ) {
        self.directory = directory
        self.rules = directory.makeRules()
        self.limits = limits
        self.eventLoop = eventLoop
        self.life = life
        self.logger = logger
    }

    func sessionReady(_ session: SessionHandler, peer: SessionSettings) {
        logger.info("Session ready", metadata: [.peerSoftware: "\(peer.software)"])
        life.ready(SessionReference(session, eventLoop: eventLoop))
    }

    func session(_ session: SessionHandler, opened id: StreamID, head: ByteBuffer, isLast: Bool) {
        do throws(HTTPMessageError) {
            var reader = RequestHeadReader(
                limits: HTTPLimits(headBytes: limits.maximumHeadBytes, fieldCount: 256))
            var rest = head
            guard let request = try reader.next(&rest), rest.readableBytes == 0 else {
                throw HTTPMessageError(.malformed, "not one whole head")
            }
            let framing = try Self.framing(request, isLast: isLast)
            let stream = OriginStream(session: session, id: id, isRequestWhole: isLast, logger: logger)
            session.accept(id, receiver: stream)
            switch directory.origin(for: request, by: rules) {
            case .success((let origin, let request)):
                stream.begin(request, framing: framing, at: origin, on: eventLoop)
            case .failure(let refusal):
                stream.refuse(refusal.status, refusal.words)
            }
        } catch {
            session.reset(id, .malformedMessage, reason: "\(error)")
        }
    }

    /// The tunnel tells the end of a body by itself; the origin must be told in HTTP's ways.
    private static func framing(
        _ request: RequestHead, isLast: Bool
    ) throws(HTTPMessageError) -> BodyFraming {
        if request.asksForUpgrade { return .none }
        let length = try request.fields.contentLength()
        if isLast {
            guard length ?? 0 == 0 else { throw HTTPMessageError(.truncated, "a promised body is missing") }
            return .none
        }
        return length.map { $0 == 0 ? .none : .length($0) } ?? .chunked
    }

    func sessionPeerDrains(_ session: SessionHandler, reason: String) {
        logger.info("Server is leaving", metadata: [.closeReason: "\(reason)"])
        life.released()
    }

    func sessionEnded(_ session: SessionHandler, _ end: SessionEnd) {
        life.ended(end)
    }
}

/// What the keeper of a connection waits for in the life of one session.
final class SessionLife: Sendable {
    private let becameReady: EventLoopPromise<SessionReference>
    private let wasReleased: EventLoopPromise<Void>
    private let hasEnded: EventLoopPromise<SessionEnd>

    init(on eventLoop: any EventLoop) {
        becameReady = eventLoop.makePromise()
        wasReleased = eventLoop.makePromise()
        hasEnded = eventLoop.makePromise()
    }

    func ready(_ session: SessionReference) { becameReady.succeed(session) }

    func released() { wasReleased.succeed() }

    func ended(_ end: SessionEnd) {
        becameReady.fail(ChannelError.ioOnClosedChannel)
        wasReleased.succeed()
        hasEnded.succeed(end)
    }

    /// The dial failed: none of it will happen.
    func neverBegan() { ended(.closedByUs) }

    /// Waits until another session should take this one's place: it ended, or the server is leaving.
    func untilReleased() async {
        try? await wasReleased.futureResult.get()
    }

    /// Waits for the end. A cancelled task drains the session first.
    func untilEnded() async -> SessionEnd {
        await withTaskCancellationHandler {
            (try? await hasEnded.futureResult.get()) ?? .closedByUs
        } onCancel: {
            becameReady.futureResult.whenSuccess { session in
                session.perform { $0.drain(reason: "the tunnel client is stopping") }
            }
            wasReleased.succeed()
        }
    }

    /// Closes the session at once.
    func close() {
        becameReady.futureResult.whenSuccess { session in session.perform { $0.close() } }
    }
}
