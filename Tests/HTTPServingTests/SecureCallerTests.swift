import HTTPMessage
import HTTPServing
import HostSystem
import NIOCore
import NIOEmbedded
import NIOSSL
import NIOTLS
import TestSupport
import Testing

/// A connection of a caller over TLS, both ends embedded: what becomes of the ends of its directions.
@Suite struct SecureCallerTests {
    @Test(arguments: [true, false])
    func rawDirectionsEndInOrderWhoeverIsFirst(callerIsFirst: Bool) throws {
        let world = try SecureWorld()
        try world.caller.writeOutbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        try world.pump()
        let exchange = try #require(world.reception.exchange)
        exchange.stream.send(switching: ResponseHead(status: 101))
        try world.pump()
        #expect(world.heard.hasPrefix("HTTP/1.1 101 "))
        try world.caller.writeOutbound(ByteBuffer(string: "last words"))
        if callerIsFirst {
            world.caller.close(mode: .output, promise: nil)
        } else {
            // The caller's TLS answers the end with its own.
            exchange.stream.endRawOutput()
        }
        try world.pump()
        #expect(exchange.events == ["start", "bytes last words", "raw end"])
        if callerIsFirst {
            #expect(world.server.isActive)
            exchange.stream.send(ByteBuffer(string: "answer"), isLast: true)
            exchange.stream.endRawOutput()
            exchange.stream.exchangeEnded()
            try world.pump()
            #expect(world.heard.hasSuffix("answer"))
            #expect(world.hasEndedInOrder)
        }
        #expect(!exchange.events.contains("left"))
    }

    @Test func aCallerThatBreaksOffIsNoEnd() throws {
        let world = try SecureWorld()
        try world.caller.writeOutbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        try world.pump()
        let exchange = try #require(world.reception.exchange)
        exchange.stream.send(switching: ResponseHead(status: 101))
        exchange.stream.endRawOutput()
        // The connection ends without a word of TLS.
        world.server.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(exchange.events == ["start", "left"])
    }

    /// Words of TLS that all is said would make the answer look whole.
    @Test func aBrokenAnswerEndsBeneathTLS() throws {
        let world = try SecureWorld()
        try world.caller.writeOutbound(ByteBuffer(string: "GET / HTTP/1.0\r\n\r\n"))
        try world.pump()
        let exchange = try #require(world.reception.exchange)
        var head = ResponseHead(status: 200)
        let length = try AnswerLength(settling: &head, toMethod: "GET", isLast: false)
        exchange.stream.send(head, length, isLast: false)
        exchange.stream.send(ByteBuffer(string: "part"), isLast: false)
        exchange.stream.exchangeBroke(isWhole: false)
        try world.pump()
        world.loop.advanceTime(by: .seconds(2))
        try world.pump()
        #expect(world.heard.hasSuffix("part"))
        #expect(!world.server.isActive)
        #expect(!world.hasEndedInOrder)
    }
}

/// A caller and a server, and TLS between them.
private final class SecureWorld {
    let loop = EmbeddedEventLoop()
    let caller: EmbeddedChannel
    let server: EmbeddedChannel
    let reception = RecordingReception()
    private let ear = Ear()

    init() throws {
        let certificate = try Certificate()
        let serverContext = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMBytes(certificate.pem).map {
                    .certificate($0)
                },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.keyPath, format: .pem))))
        var client = TLSConfiguration.makeClientConfiguration()
        client.certificateVerification = .none
        let handler = CallerHandler(
            on: loop, limits: ConnectionLimits(), date: DateStamp(), budget: nil, reception: reception,
            isSecure: true)
        server = EmbeddedChannel(
            handlers: [
                BeneathTLS(), NIOSSLServerHandler(context: serverContext), AboveTLS(), handler,
            ], loop: loop)
        caller = EmbeddedChannel(
            handlers: [
                BeneathTLS(),
                try NIOSSLClientHandler(context: NIOSSLContext(configuration: client), serverHostname: nil),
                ear,
            ], loop: loop)
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        server.connect(to: address, promise: nil)
        caller.connect(to: address, promise: nil)
        try pump()
    }

    /// What the caller has heard.
    var heard: String { ear.heard }
    /// Whether the server's end of TLS came.
    var hasEndedInOrder: Bool { ear.hasEnded }

    /// Carries bytes from each to the other until neither has any.
    func pump() throws {
        var isMoving = true
        while isMoving {
            isMoving = false
            loop.run()
            while let bytes = try caller.readOutbound(as: ByteBuffer.self) {
                isMoving = true
                if server.isActive, bytes.readableBytes > 0 { try server.writeInbound(bytes) }
            }
            while let bytes = try server.readOutbound(as: ByteBuffer.self) {
                isMoving = true
                if caller.isActive, bytes.readableBytes > 0 { try caller.writeInbound(bytes) }
            }
        }
    }
}

/// Tells that the handshake is done.
private final class AboveTLS: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            context.fireUserInboundEventTriggered(SecureConnectionEvent.isUp)
        }
        context.fireUserInboundEventTriggered(event)
    }
}

/// In place of the socket.
private final class BeneathTLS: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        if case .reset = event as? SecureConnectionEvent { context.close(promise: promise) }
    }

    /// An embedded channel knows no halves.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }
}

private final class Ear: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var heard = ""
    private(set) var hasEnded = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heard += String(buffer: unwrapInboundIn(data))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed || event as? TLSUserEvent == .shutdownCompleted {
            hasEnded = true
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}

private final class RecordingReception: RequestReception {
    private(set) var exchange: RecordingExchange?

    var stall: TimeAmount { .seconds(60) }
    var isStopping: Bool { false }
    func welcome(_ connection: any CallerConnection, on channel: any Channel) -> Welcome { .stays }
    func left(_ connection: any CallerConnection) {}
    func receive(
        _ head: RequestHead, _ framing: HTTPMessage.BodyFraming, for stream: any CallerStream
    ) -> RequestOutcome {
        let exchange = RecordingExchange(stream)
        self.exchange = exchange
        return .exchange(exchange)
    }
    func refuse(_ fault: RequestFault) -> OwnAnswer { OwnAnswer(400, line: "no") }
}

private final class RecordingExchange: ServedExchange {
    let stream: any CallerStream
    private(set) var events: [String] = []

    init(_ stream: any CallerStream) { self.stream = stream }

    var takesBytes: Bool { true }
    func start() { events.append("start") }
    func callerSent(_ bytes: ByteBuffer) { events.append("bytes \(String(buffer: bytes))") }
    func callerEndedRequest(trailers: HeaderFields?) { events.append("request end") }
    /// May be told more than once.
    func callerEndedRaw() { if events.last != "raw end" { events.append("raw end") } }
    func callerBrokeRules(_ error: HTTPMessageError) { events.append("broke") }
    func callerLeft() { events.append("left") }
    func callerBecameWritable() {}
    func answerIsOut(missing: Int) { events.append("out") }
    func serverStops() {}
    func cutShort() {}
    func checkTime() {}
}
