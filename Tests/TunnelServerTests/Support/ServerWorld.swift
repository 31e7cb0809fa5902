import AgentStatus
import HTTPMessage
import HTTPServing
import HostSystem
import Logging
import NIOCore
import NIOPosix
import Observability
import Synchronization
import TestSupport
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

@testable import TunnelServer

/// Tunnel servers of this process with what they need; everything ends with `run`.
final class ServerWorld: Sendable {
    let group: MultiThreadedEventLoopGroup
    /// Of the tunnel clients.
    private let clients = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let log: AgentLog
    private let folder: TemporaryFolder
    private let servers = Mutex<[TunnelServer]>([])

    private init(threads: Int) throws {
        folder = try TemporaryFolder()
        log = AgentLog(sink: try LogSink(path: folder.path(of: "log"), format: .logfmt), level: .error)
        group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    }

    static func run(threads: Int = 2, _ body: (ServerWorld) async throws -> Void) async throws {
        let world = try ServerWorld(threads: threads)
        var failure: (any Error)?
        do { try await body(world) } catch { failure = error }
        for server in world.servers.withLock({ $0 }) {
            server.close()
            await server.drain()
        }
        try await world.group.shutdownGracefully()
        try await world.clients.shutdownGracefully()
        world.log.sink.close()
        if let failure { throw failure }
    }

    /// A server that does not listen yet.
    func makeServer(
        _ configuration: ServerConfiguration = configuration(), limits: ListenerLimits = ListenerLimits()
    ) -> TunnelServer {
        let server = TunnelServer(
            configuration, group: group, log: log, budget: ProcessReceiveBudget(), software: "test",
            limits: limits)
        servers.withLock { $0.append(server) }
        return server
    }

    /// A server that listens on a port of 127.0.0.1.
    func startServer(
        _ configuration: ServerConfiguration = configuration(), limits: ListenerLimits = ListenerLimits()
    ) async throws -> (server: TunnelServer, socket: ListeningSocket) {
        let server = makeServer(configuration, limits: limits)
        let socket = try Self.bind()
        try await server.listen(on: socket)
        return (server, socket)
    }

    static func configuration(_ change: (inout ServerConfiguration) -> Void = { _ in }) -> ServerConfiguration
    {
        var configuration = ServerConfiguration(name: "test", host: "127.0.0.1", port: 0)
        change(&configuration)
        return configuration
    }

    static func bind(
        host: String = "127.0.0.1", port: Int = 0, reusePort: Bool = false, besides: [ListeningSocket] = []
    ) throws -> ListeningSocket {
        let socket = try ListeningSocket.reserve(
            for: "servers[test]", host: host, port: port, reusePort: reusePort, besides: besides)
        try socket.listen(besides: besides)
        return socket
    }

    /// Connects a tunnel client; returns when the server gives it requests.
    func connect(
        _ token: RendezvousToken, password: String? = nil, to server: TunnelServer
    ) async throws -> TestTunnel {
        var fields = HeaderFields([.origin: token.secret])
        if let password {
            fields.append(
                .authorization, BasicAuthorization.encode(user: token.secret, password: password))
        }
        let target = TunnelDialler.Target(
            host: "127.0.0.1", port: server.address?.port ?? 0, path: "/_tunnel", fields: fields, tls: nil)
        let tunnel = TestTunnel()
        let loop = clients.next()
        _ = try await TunnelDialler(target).dial(on: loop) { _ in tunnel.makeSession(on: loop) }
        try await onThread { try tunnel.ready.wait() }
        return tunnel
    }
}

/// A tunnel client's session: it answers requests at once by their path, apart from those for `/hold…`, which are
/// answered when the test says so: those for `/hold-body…` are begun at once.
final class TestTunnel: SessionOwner, StreamReceiver, Sendable {
    private struct State {
        var reference: SessionReference?
        var held: [(id: StreamID, hasBegun: Bool)] = []
    }

    let ready = Gate()
    let held = WaitableCounter()
    let drained = Gate()
    let ended = Gate()
    private let state = Mutex(State())

    func makeSession(on loop: any EventLoop) -> any Session {
        let session = MuxSession(
            role: .acceptor, limits: SessionLimits(),
            settings: SessionSettings(maximumStreams: 100, initialWindow: 1 << 16, software: "test"),
            budget: ProcessReceiveBudget(), owner: self)
        let reference = SessionReference(session, eventLoop: loop)
        state.withLock { $0.reference = reference }
        return session
    }

    /// Where the session runs.
    var eventLoop: (any EventLoop)? { state.withLock { $0.reference?.eventLoop } }

    /// Answers what is held.
    func answerHeld() {
        let (reference, held) = state.withLock { state in
            defer { state.held = [] }
            return (state.reference, state.held)
        }
        reference?.perform { session in
            for (id, hasBegun) in held {
                if !hasBegun { Self.begin(id, "held", on: session) }
                Self.finish(id, "held", on: session)
            }
        }
    }

    private static func begin(_ id: StreamID, _ text: String, on session: any Session) {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n"
        session.respond(id, head: ByteBuffer(string: head), isInterim: false, isLast: false)
    }

    private static func finish(_ id: StreamID, _ text: String, on session: any Session) {
        _ = session.send(id, ByteBuffer(string: text))
        session.finish(id)
    }

    func sessionReady(_ session: any Session, peer: SessionSettings) {}
    /// The ping came to the server behind our settings: it has the session among those that serve.
    func sessionWasAnswered(_ session: any Session) { ready.open() }

    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {
        session.accept(id, receiver: self)
        let path = String(buffer: head).split(separator: " ")[1]
        if path.hasPrefix("/hold") {
            let begins = path.hasPrefix("/hold-body")
            if begins { Self.begin(id, "held", on: session) }
            state.withLock { $0.held.append((id, begins)) }
            held.add(1)
        } else {
            Self.begin(id, String(path), on: session)
            Self.finish(id, String(path), on: session)
        }
    }

    func sessionPeerDrains(_ session: any Session, reason: String) { drained.open() }
    func sessionEnded(_ session: any Session, _ end: SessionEnd) {
        ended.open()
        state.withLock { $0.reference = nil }
    }

    func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {}
    func streamReceived(data: ByteBuffer, isLast: Bool) {}
    func streamReceived(trailers: ByteBuffer) {}
    func streamWasReset(_ end: StreamTermination, reason: String) {}
    func streamBecameWritable() {}
}
