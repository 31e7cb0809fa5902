import AgentStatus
import HTTPMessage
import HTTPServing
import HostSystem
package import Logging
package import NIOCore
import NIOPosix
import Observability
import Synchronization
package import TunnelConfiguration
import TunnelProtocol

/// Serves the admin API on one listener: the control socket, or a TCP port.
///
/// HTTP/1, one request after another on each connection. Few connections at once, each bounded in size and in the time it
/// may take to ask; so neither a slow nor a greedy client holds up the agent.
package final class AdminServer: Sendable {
    /// Who may ask.
    package enum Access: Sendable {
        /// Whoever can open the control socket, which its file's mode and the peer's user id decide.
        case localUser
        /// Whoever brings the token.
        case token(Secret)
    }

    /// Time for a request to come, and for its answer to be taken.
    package static let usualPatience: Duration = .seconds(10)
    /// What a wrong token costs who sent it.
    static let guessDelay: Duration = .seconds(1)
    /// Time that answers have to go out, and their clients to leave, when the server ends.
    static let farewellTime: TimeAmount = .milliseconds(500)
    private static let longestLoggedPath = 256
    /// Connections at once; more are closed at once.
    static let mostConnections = 64
    /// Of those, the ones that other machines may have: who is at the agent's own gets in.
    static let mostOfOthers = 48
    /// Answers without an end at once: the other connections stay for questions.
    static let mostStreams = 16

    private let listener: any Channel
    private let loops: [any EventLoop]
    private let requests: AsyncStream<AdminRequest>
    private let source: AsyncStream<AdminRequest>.Continuation
    private let door: AdminDoor
    private let access: Access
    private let control: any AgentControl
    private let logger: Logger
    /// When a wrong token was last told of.
    private let complaint = Mutex(RepeatedWarning())
    private let streams = Mutex(0)

    /// - Parameters:
    ///   - descriptor: a listening socket; it belongs to the server from now on, also when this fails.
    ///   - patience: time for a request to come, and for its answer to be taken.
    ///   - admits: whether a connection may ask at all, by its descriptor.
    package static func start(
        on descriptor: CInt, group: any EventLoopGroup, access: Access, control: any AgentControl,
        logger: Logger, patience: Duration = usualPatience,
        admits: @escaping @Sendable (CInt) -> Bool = { _ in true }
    ) async throws -> AdminServer {
        let (requests, source) = AsyncStream.makeStream(
            of: AdminRequest.self, bufferingPolicy: .bufferingOldest(mostConnections))
        let door = AdminDoor()
        let listener = try await ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause())
                }
            }
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sync = channel.pipeline.syncOperations
                    let isLocal = if case .localUser = access { true } else { false }
                    let peer = try sync.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                        (
                            isAdmitted: admits($0),
                            user: isLocal ? PeerCredentials(descriptor: $0)?.userID : nil
                        )
                    }
                    guard let peer, peer.isAdmitted else { throw ChannelError.operationUnsupported }
                    if let options = channel.syncOptions { try CallerHandler.prepare(options) }
                    try sync.addHandler(
                        AdminReception.handler(
                            on: channel.eventLoop, door, patience: TimeAmount(patience), requests: source,
                            user: peer.user))
                }
            }
            .withBoundSocket(descriptor).get()
        return AdminServer(
            listener: listener, loops: Array(group.makeIterator()), requests: requests, source: source,
            door: door, access: access, control: control, logger: logger)
    }

    private init(
        listener: any Channel, loops: [any EventLoop], requests: AsyncStream<AdminRequest>,
        source: AsyncStream<AdminRequest>.Continuation, door: AdminDoor, access: Access,
        control: any AgentControl,
        logger: Logger
    ) {
        self.listener = listener
        self.loops = loops
        self.requests = requests
        self.source = source
        self.door = door
        self.access = access
        self.control = control
        self.logger = logger
    }

    /// Answers requests until `stop`; then returns when those under way are answered, their answers have gone out if that
    /// takes no time, and the listener is closed: nothing is accepted for event loops that end.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await request in requests {
                group.addTask { await self.answer(request) }
            }
        }
        try? await listener.closeFuture.get()
        // What the kernel has not taken of an answer is lost when the event loops end.
        await door.becomesEmpty(within: Self.farewellTime, on: listener.eventLoop)
        // A connection that was accepted goes to its event loop and back once more.
        for loop in loops { try? await loop.submit {}.get() }
        try? await listener.eventLoop.submit {}.get()
    }

    /// Takes no new requests. Who has a connection and asks for nothing has to connect anew, to whoever listens then.
    package func stop() {
        listener.close(promise: nil)
        door.close()
        source.finish()
    }

    /// Returns when, after `stop`, its socket is closed.
    package func untilClosed() async { try? await listener.closeFuture.get() }

    private func answer(_ request: AdminRequest) async {
        let isLocal = if case .localUser = access { true } else { false }
        let role = role(of: request.head)
        switch AdminRouting(request.head, request.body, role: role, isLocal: isLocal) {
        case .refused(let answer):
            if answer.status == 401 { await slowDown() }
            request.send(answer)
        case .operation(let operation, var question):
            question.asker = isLocal ? request.peer : "\(role?.rawValue ?? "nobody") from \(request.peer)"
            switch await operation.answer(question, control) {
            case .answer(let answer):
                if operation.isLogged { note(question, answer) }
                request.send(answer)
            case .stream(let stream): await send(stream, to: request)
            }
        }
    }

    private func send(_ stream: AdminStream, to request: AdminRequest) async {
        let hasPlace = streams.withLock { count in
            guard count < Self.mostStreams else { return false }
            count += 1
            return true
        }
        guard hasPlace else {
            return request.send(
                .adminError(
                    503, "\(Self.mostStreams) streams are open already: end one, or ask for a list (recent)"))
        }
        await request.send(stream)
        streams.withLock { $0 -= 1 }
    }

    /// Who has asked for something that may change what the agent does, and what came of it.
    private func note(_ question: AdminQuestion, _ answer: OwnAnswer) {
        let path = question.head.target.prefix { $0 != "?" }.prefix(Self.longestLoggedPath)
        logger.notice(
            "Admin action",
            metadata: [
                .adminAction: "\(question.head.method) \(path)", .adminAsker: "\(question.asker)",
                .adminStatus: .stringConvertible(answer.status),
            ])
    }

    /// Whoever guesses tokens waits for each answer, and does not fill the log.
    private func slowDown() async {
        if complaint.withLock({ $0.happened() }) != nil {
            logger.warning("An admin request was refused: no token, or a wrong one", metadata: [:])
        }
        try? await Task.sleep(for: Self.guessDelay)
    }

    /// What who sent this may do; nil without the token.
    private func role(of head: RequestHead) -> AdminRole? {
        switch access {
        case .localUser: return .administer
        case .token(let token):
            guard let value = head.fields[.authorization], value.lowercased().hasPrefix("bearer "),
                ConstantTime.areEqual(String(value.dropFirst("bearer ".count)), token.secret)
            else { return nil }
            return .administer
        }
    }
}
