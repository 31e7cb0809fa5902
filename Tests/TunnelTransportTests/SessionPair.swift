import NIOCore
import NIOEmbedded
import Synchronization
import TunnelProtocol
import TunnelTransport

/// A tunnel server's and a tunnel client's session back to back on embedded channels: bytes move, and time passes,
/// only when the test says so.
final class SessionPair {
    /// One session and its channel.
    final class End {
        let owner: RecordingOwner
        let session: any Session
        let channel: EmbeddedChannel

        let reads = ReadCounter()

        init(
            _ role: SessionRole, limits: SessionLimits, budget: ProcessReceiveBudget, isOld: Bool,
            loop: EmbeddedEventLoop, owner: RecordingOwner
        ) throws {
            self.owner = owner
            if isOld {
                session = MessageSession(
                    role: role, limits: limits, peer: "test", budget: budget,
                    numbering: role == .opener ? CountedNumbers() : nil, owner: owner, now: loop.instant)
            } else {
                session = MuxSession(
                    role: role, limits: limits,
                    settings: SessionSettings(
                        maximumStreams: 0, initialWindow: 0, software: "test", tunnelName: "\(role)"),
                    budget: budget, owner: owner, now: loop.instant)
            }
            channel = EmbeddedChannel(handlers: [reads, WebSocketCarrier(session)], loop: loop)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        }

        /// Bytes from the network; a closed channel gets none.
        func receive(_ bytes: ByteBuffer) {
            guard channel.isActive else { return }
            channel.pipeline.fireChannelRead(bytes)
            channel.pipeline.fireChannelReadComplete()
        }

        /// What was written since, each write by itself.
        func written() throws -> [ByteBuffer] {
            var writes: [ByteBuffer] = []
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) { writes.append(bytes) }
            return writes
        }

        /// Stops or starts the channel's taking of bytes.
        func setWritable(_ isWritable: Bool) {
            channel.isWritable = isWritable
            channel.pipeline.fireChannelWritabilityChanged()
        }
    }

    let loop = EmbeddedEventLoop()
    let server: End
    let client: End
    /// Bytes cross in pieces of at most that size.
    var pieceSize = 1 << 20

    /// - Parameters:
    ///   - budget: of each end.
    ///   - isReady: whether both have heard each other's settings.
    ///   - isOld: whether they speak protocol v1.
    init(
        limits: SessionLimits = SessionLimits(), budget: Int = ProcessReceiveBudget.defaultBytes,
        isReady: Bool = true, isOld: Bool = false
    ) throws {
        server = try End(
            .opener, limits: limits, budget: ProcessReceiveBudget(bytes: budget), isOld: isOld, loop: loop,
            owner: RecordingOwner())
        client = try End(
            .acceptor, limits: limits, budget: ProcessReceiveBudget(bytes: budget), isOld: isOld, loop: loop,
            owner: RecordingOwner())
        if isReady { try run() }
    }

    /// Lets everything happen that can: bytes cross, and an end that closes closes the other.
    func run() throws {
        while true {
            loop.run()
            let toClient = try server.written()
            let toServer = try client.written()
            if toClient.isEmpty, toServer.isEmpty { break }
            for bytes in toClient { deliver(bytes, to: client) }
            for bytes in toServer { deliver(bytes, to: server) }
        }
        for (end, other) in [(server, client), (client, server)]
        where !end.channel.isActive && other.channel.isActive {
            other.channel.close(promise: nil)
            loop.run()
        }
    }

    private func deliver(_ bytes: ByteBuffer, to end: End) {
        var rest = bytes
        while let piece = rest.readSlice(length: min(pieceSize, rest.readableBytes)), piece.readableBytes > 0
        {
            end.receive(piece)
        }
    }

    /// Opens a stream and lets the client take it.
    func open(
        _ head: String = "GET / HTTP/1.1\r\n\r\n", isLast: Bool = true,
        receiver: RecordingReceiver = RecordingReceiver()
    ) throws -> (id: StreamID, caller: RecordingReceiver, taker: RecordingReceiver)? {
        guard let id = server.session.open(head: ByteBuffer(string: head), isLast: isLast, receiver: receiver)
        else { return nil }
        let taker = RecordingReceiver()
        try run()
        client.session.accept(id, receiver: taker)
        return (id, receiver, taker)
    }
}

/// Counts how often more bytes are asked for.
final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}

/// Numbers of requests: 1, 2, …
final class CountedNumbers: RequestNumbering {
    private let last = Mutex<UInt16>(0)

    func next() -> UInt16 {
        last.withLock { last in
            last += 1
            return last
        }
    }
}
