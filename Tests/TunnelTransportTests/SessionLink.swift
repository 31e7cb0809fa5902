import NIOCore
import NIOPosix
import TestSupport
import TunnelProtocol

@testable import TunnelTransport

/// A server's and a client's session over a connection on loopback, each on an event loop of its own, and a third
/// loop for callers.
final class SessionLink: Sendable {
    let group: MultiThreadedEventLoopGroup
    let serverLoop: any EventLoop
    let clientLoop: any EventLoop
    let callerLoop: any EventLoop
    let serverOwner: RecordingOwner
    let clientOwner: RecordingOwner
    let session: SessionReference
    let clientSession: SessionReference
    private let channels: [any Channel]

    /// - Parameters:
    ///   - limits: of both sides.
    ///   - space: where messages of protocol v1 are kept; nil for protocol v2.
    ///   - onOpened: how the client takes a stream.
    init(
        limits: SessionLimits = SessionLimits(), space: SpillSpace? = nil,
        onOpened: @escaping @Sendable (Session, StreamID) -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
        self.group = group
        let loops = Array(group.makeIterator())
        let (serverLoop, clientLoop) = (loops[0], loops[1])
        let serverOwner = RecordingOwner()
        let clientOwner = RecordingOwner(onOpened: onOpened)
        let reference = serverLoop.makePromise(of: SessionReference.self)
        let listener = try await ServerBootstrap(group: serverLoop)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let session = Self.session(.opener, limits, space, serverOwner)
                    try channel.pipeline.syncOperations.addHandler(WebSocketCarrier(session))
                    reference.succeed(SessionReference(session, eventLoop: channel.eventLoop))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let clientReference = clientLoop.makePromise(of: SessionReference.self)
        let client = try await ClientBootstrap(group: clientLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let session = Self.session(.acceptor, limits, space, clientOwner)
                    try channel.pipeline.syncOperations.addHandler(WebSocketCarrier(session))
                    clientReference.succeed(SessionReference(session, eventLoop: channel.eventLoop))
                }
            }
            .connect(host: "127.0.0.1", port: listener.localAddress?.port ?? 0).get()
        session = try await reference.futureResult.get()
        clientSession = try await clientReference.futureResult.get()
        self.serverLoop = serverLoop
        self.clientLoop = clientLoop
        callerLoop = loops[2]
        self.serverOwner = serverOwner
        self.clientOwner = clientOwner
        channels = [listener, client]
        try await onThread {
            try serverOwner.wait(for: "the session") { !$0.isEmpty }
        }
    }

    private static func session(
        _ role: SessionRole, _ limits: SessionLimits, _ space: SpillSpace?, _ owner: RecordingOwner
    ) -> Session {
        if let space {
            return Session(
                v1As: role, limits: limits, peer: "test", budget: ProcessReceiveBudget(),
                numbering: role == .opener ? CountedNumbers() : nil, space: space, owner: owner)
        }
        return Session(
            role: role, limits: limits,
            settings: SessionSettings(maximumStreams: 0, initialWindow: 0, software: "test"),
            budget: ProcessReceiveBudget(), owner: owner)
    }

    /// Cuts the connection.
    func cut() async throws {
        try await channels[1].close()
    }

    func stop() async throws {
        for channel in channels { try? await channel.close() }
        try await group.shutdownGracefully()
    }

    /// Runs a body with a link and stops it, whatever comes.
    static func with(
        limits: SessionLimits = SessionLimits(), space: SpillSpace? = nil,
        onOpened: @escaping @Sendable (Session, StreamID) -> Void,
        _ body: (SessionLink) async throws -> Void
    ) async throws {
        let link = try await SessionLink(limits: limits, space: space, onOpened: onOpened)
        do {
            try await body(link)
        } catch {
            try await link.stop()
            throw error
        }
        try await link.stop()
    }
}

/// A caller on its own loop: sends a body as fast as it may, and takes everything that comes.
final class LinkCaller: Sendable {
    let receiver: RecordingReceiver
    private let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    private struct State {
        var port: (any StreamPort)?
        var unsent = ByteBuffer()
        var pieceSize = 1
        var sent = 0
        var trailers: ByteBuffer?
        var hasFinished = false
    }

    init(_ link: SessionLink) {
        let loop = link.callerLoop
        let state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: loop)
        self.loop = loop
        self.state = state
        receiver = RecordingReceiver(
            onData: { state.value.port?.consumed($0) }, onWritable: { Self.send(state) })
    }

    /// Opens the stream and begins to send.
    func start(
        _ link: SessionLink, body: ByteBuffer, pieceSize: Int = 10_000, trailers: ByteBuffer? = nil
    ) async throws {
        let (receiver, state, loop) = (receiver, state, loop)
        try await loop.submit {
            state.value.unsent = body
            state.value.pieceSize = pieceSize
            state.value.trailers = trailers
            state.value.port = link.session.open(
                head: ByteBuffer(string: "POST / HTTP/1.1\r\n\r\n"), isLast: false, receiver: receiver,
                on: loop)
            Self.send(state)
        }.get()
    }

    /// How much was handed over so far.
    var sent: Int {
        get async throws {
            let state = state
            return try await loop.submit { state.value.sent }.get()
        }
    }

    func reset(_ reason: String) async throws {
        let state = state
        try await loop.submit { state.value.port?.reset(.cancelled, reason: reason) }.get()
    }

    private static func send(_ state: NIOLoopBoundBox<State>) {
        guard !state.value.hasFinished, let port = state.value.port, port.isTaken else { return }
        while let piece = state.value.unsent.readSlice(
            length: min(state.value.pieceSize, state.value.unsent.readableBytes)), piece.readableBytes > 0
        {
            state.value.sent += piece.readableBytes
            guard port.send(piece) else { return }
        }
        state.value.hasFinished = true
        port.finish(trailers: state.value.trailers)
    }
}
