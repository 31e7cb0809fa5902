import HTTPMessage
import HTTPServing
import HostSystem
import Logging
import NIOCore
import NIOEmbedded
import Observability
import Routing
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

@testable import TunnelServer

/// A tunnel server on an embedded event loop, without listeners: its callers and tunnel clients are embedded channels, and
/// time passes only when the test says so.
final class EmbeddedServer {
    let loop = EmbeddedEventLoop()
    let core: ServerCore
    private var tunnels: [EmbeddedTunnel] = []

    private init(_ configuration: ServerConfiguration, _ limits: ListenerLimits, _ log: AgentLog) {
        core = ServerCore(
            configuration, tls: nil, limits: limits, loops: [loop], log: log, budget: ProcessReceiveBudget(),
            software: "test", gauge: LoadGauge())
    }

    /// Everything ends with the body.
    static func run(
        limits: ListenerLimits = ListenerLimits(),
        configuration: (inout ServerConfiguration) -> Void = { _ in }, _ body: (EmbeddedServer) throws -> Void
    ) throws {
        let folder = try TemporaryFolder()
        let log = AgentLog(sink: try LogSink(path: folder.path(of: "log"), format: .logfmt), level: .error)
        defer { log.sink.close() }
        let server = EmbeddedServer(ServerWorld.configuration(configuration), limits, log)
        try body(server)
        server.core.end()
        for caller in server.core.connections.callers { caller.connection.value.cut() }
        server.advance(.seconds(60))
    }

    /// A caller that has connected.
    func caller() throws -> EmbeddedCaller { try EmbeddedCaller(self) }

    /// A tunnel client whose session serves a token.
    func tunnel(_ token: RendezvousToken = TestTokens.first) throws -> EmbeddedTunnel {
        let tunnel = try EmbeddedTunnel(token, core: core, loop: loop)
        tunnels.append(tunnel)
        try run()
        return tunnel
    }

    /// Lets everything happen that can.
    func run() throws {
        repeat { loop.run() } while try tunnels.count(where: { try $0.move() }) > 0
    }

    /// Lets time pass, a second at most before the sessions hear of each other again.
    func advance(_ time: TimeAmount) {
        var left = time
        while left > .zero {
            let step = min(left, .seconds(1))
            loop.advanceTime(by: step)
            do { try run() } catch { preconditionFailure("a session broke: \(error)") }
            left = left - step
        }
    }
}

/// What a caller sends and gets. Its end of the connection is open until the server closes it, or `leave`.
final class EmbeddedCaller {
    private let server: EmbeddedServer
    private let wire = Wire()
    let channel: EmbeddedChannel

    init(_ server: EmbeddedServer) throws {
        self.server = server
        let reception = CallerReception(core: server.core, on: server.loop, listener: 1, tls: nil)
        channel = EmbeddedChannel(
            handlers: [wire, reception.makeHandler(on: server.loop)], loop: server.loop)
        channel.connect(to: try SocketAddress(ipAddress: "203.0.113.7", port: 4711), promise: nil)
        try server.run()
    }

    var handler: CallerHandler {
        get throws { try channel.pipeline.syncOperations.handler(type: CallerHandler.self) }
    }

    /// Whether the server's direction is open.
    var isOpen: Bool { channel.isActive && !wire.isOutputClosed }
    var isClosed: Bool { !channel.isActive }
    /// How often the server asked for more.
    var reads: Int { wire.reads }

    func send(_ text: String) throws {
        try send(ByteBuffer(string: text.replacing("|", with: "\r\n")))
    }

    func send(_ bytes: ByteBuffer) throws {
        guard channel.isActive else { return }
        channel.pipeline.fireChannelRead(bytes)
        channel.pipeline.fireChannelReadComplete()
        try server.run()
    }

    /// Asks by the token in a field.
    func ask(_ target: String = "/", _ fields: String = "", body: String = "") throws {
        let method = body.isEmpty && fields.isEmpty ? "GET" : "POST"
        try send("\(method) \(target) HTTP/1.1|Host: a|X-Token: \(TestTokens.first.secret)|\(fields)|\(body)")
    }

    /// What came since, with `|` for the ends of lines.
    func received() throws -> String {
        try server.run()
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: bytes) }
        return text.replacing("\r\n", with: "|")
    }

    /// The status lines of what came since.
    func statuses() throws -> [Int] {
        try received().split(separator: "HTTP/1.1 ").compactMap { Int($0.prefix(3)) }
    }

    /// It asks for more, as a channel does by itself after each read.
    func read() { channel.pipeline.read() }

    func setReading(_ isReading: Bool) throws {
        wire.isHeld = !isReading
        channel.isWritable = isReading
        if isReading { channel.pipeline.flush() }
        channel.pipeline.fireChannelWritabilityChanged()
        try server.run()
    }

    func endOutput() throws {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        try server.run()
    }

    func leave() throws {
        channel.close(promise: nil)
        try server.run()
    }

    /// The network below a caller's handler.
    private final class Wire: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private(set) var reads = 0
        private(set) var isOutputClosed = false
        var isHeld = false

        func read(context: ChannelHandlerContext) {
            reads += 1
            context.read()
        }

        func flush(context: ChannelHandlerContext) { if !isHeld { context.flush() } }

        /// An embedded channel cannot close one direction.
        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            guard case .output = mode else { return context.close(mode: mode, promise: promise) }
            context.flush()
            isOutputClosed = true
            promise?.succeed()
        }
    }
}

/// A tunnel client and its session, back to back with the server's: what streams bring is noted, and answered when the
/// test says so.
final class EmbeddedTunnel: SessionOwner, StreamReceiver {
    private(set) var opened: [(id: StreamID, head: String)] = []
    private(set) var requestBody = ""
    private(set) var requestEnds = 0
    private(set) var resets: [StreamTermination] = []
    private(set) var isServing = false
    private let ends: [EmbeddedChannel]
    private var client: (any Session)?

    init(_ token: RendezvousToken, core: ServerCore, loop: EmbeddedEventLoop) throws {
        let served = ServerSession(
            core: core, credentials: TunnelCredentials(token, authorization: nil),
            client: ClientIdentity(process: "client", slot: 0), address: "198.51.100.2",
            endpoint: "198.51.100.2:9", certificateName: nil, eventLoop: loop)
        let serverEnd = EmbeddedChannel(
            handler: WebSocketCarrier(served.makeSession(oldSoftware: nil)), loop: loop)
        let clientEnd = EmbeddedChannel(loop: loop)
        ends = [serverEnd, clientEnd]
        let session = MuxSession(
            role: .acceptor, limits: SessionLimits(),
            settings: SessionSettings(maximumStreams: 100, initialWindow: 1 << 16, software: "test"),
            budget: ProcessReceiveBudget(), owner: self, now: loop.instant)
        client = session
        try clientEnd.pipeline.syncOperations.addHandler(WebSocketCarrier(session))
        for end in ends { end.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil) }
    }

    /// - Returns: whether bytes crossed.
    func move() throws -> Bool {
        var hasMoved = false
        for (from, to) in [(0, 1), (1, 0)] {
            while let bytes = try ends[from].readOutbound(as: ByteBuffer.self) {
                hasMoved = true
                guard ends[to].isActive else { continue }
                ends[to].pipeline.fireChannelRead(bytes)
                ends[to].pipeline.fireChannelReadComplete()
            }
        }
        return hasMoved
    }

    /// Answers the stream that was opened as that one.
    func answer(_ index: Int = 0, _ head: String, isLast: Bool = false, originTime: UInt32? = nil) {
        guard let id = id(index) else { return }
        client?.respond(
            id, head: ByteBuffer(string: "HTTP/1.1 \(head)||".replacing("|", with: "\r\n")),
            isInterim: head.hasPrefix("1") && !head.hasPrefix("101"), isLast: isLast, originTime: originTime)
    }

    func send(_ index: Int = 0, _ text: String, isLast: Bool = true) {
        guard let id = id(index) else { return }
        if !text.isEmpty { _ = client?.send(id, ByteBuffer(string: text)) }
        if isLast { client?.finish(id) }
    }

    func reset(_ index: Int = 0, _ code: ResetCode) {
        if let id = id(index) { client?.reset(id, code) }
    }

    private func id(_ index: Int) -> StreamID? {
        guard opened.indices.contains(index) else {
            Issue.record("no stream \(index) was opened")
            return nil
        }
        return opened[index].id
    }

    /// The connection breaks.
    func breakDown() { for end in ends where end.isActive { end.close(promise: nil) } }

    func sessionReady(_ session: any Session, peer: SessionSettings) {}

    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {
        session.accept(id, receiver: self)
        opened.append((id, String(buffer: head)))
        if isLast { requestEnds += 1 }
    }

    func sessionPeerDrains(_ session: any Session, reason: String) {}
    func sessionEnded(_ session: any Session, _ end: SessionEnd) { client = nil }

    func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {}
    func streamReceived(data: ByteBuffer, isLast: Bool) {
        requestBody += String(buffer: data)
        if isLast { requestEnds += 1 }
    }
    func streamReceived(trailers: ByteBuffer) { requestEnds += 1 }
    func streamWasReset(_ end: StreamTermination, reason: String) { resets.append(end) }
    func streamBecameWritable() {}
}
