import Glibc
import HTTPMessage
import NIOCore
import NIOEmbedded

@testable import OriginHTTP

/// A pool on an embedded event loop, whose connections are embedded channels: bytes in, bytes out, and the
/// clock is the test's.
final class EmbeddedOrigin {
    let loop = EmbeddedEventLoop()
    /// Every channel that was made, in order.
    private(set) var channels: [EmbeddedChannel] = []
    private(set) var readCounters: [ReadCounter] = []
    /// Connections that can be open at once; attempts beyond them fail.
    var descriptors = Int.max
    /// Connections stay open when they are closed, as where TLS waits for the origin's farewell.
    var closesLate = false
    /// Attempts fail while true.
    var refuses = false
    private var made: OriginPool?

    var pool: OriginPool {
        get throws {
            if let made { return made }
            let address = try OriginAddress("http://origin:8080")
            let pool = OriginPool(address: address, options: options, eventLoop: loop) {
                [unowned self] completion in
                let attempt = ConnectAttempt(address: address, completion: completion)
                loop.assumeIsolated().execute { self.finish(attempt, to: address) }
                return attempt
            }
            made = pool
            return pool
        }
    }

    private let options: HTTPOriginOptions

    init(_ options: HTTPOriginOptions = HTTPOriginOptions()) {
        self.options = options
    }

    private func finish(_ attempt: ConnectAttempt, to address: OriginAddress) {
        do {
            guard channels.count(where: \.isActive) < descriptors else {
                throw IOError(errnoCode: EMFILE, reason: "socket")
            }
            if refuses { throw ChannelError.connectTimeout(.seconds(1)) }
            let counter = ReadCounter()
            let connection = OriginConnection(to: address, on: loop)
            let holder: [any ChannelHandler] = closesLate ? [CloseHolder()] : []
            let channel = EmbeddedChannel(handlers: holder + [counter, connection], loop: loop)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 8080), promise: nil)
            channels.append(channel)
            readCounters.append(counter)
            attempt.connected(channel, isSecure: false) { _ in connection }
        } catch {
            attempt.failed(error)
        }
    }

    func begin(
        _ method: String = "GET", framing: BodyFraming = .none, fields: HeaderFields = HeaderFields()
    ) throws -> EmbeddedExchange {
        let receiver = try start(
            RequestHead(method: method, target: "/", fields: fields), framing: framing)
        loop.run()
        return receiver
    }

    /// The same, without a turn of the loop: the attempt to connect is under way.
    func start(
        _ head: RequestHead = RequestHead(method: "GET", target: "/"), framing: BodyFraming = .none
    ) throws -> EmbeddedExchange {
        let request = try OutgoingRequest(head, framing: framing, authority: "origin:8080")
        let receiver = EmbeddedExchange()
        let exchange = HTTPExchange(request, pool: try pool, receiver: receiver)
        exchange.start()
        receiver.exchange = exchange
        return receiver
    }

    /// What was written to a channel since, each write by itself.
    func written(_ index: Int = 0) throws -> [String] {
        loop.run()
        var writes: [String] = []
        while let bytes = try channels[index].readOutbound(as: ByteBuffer.self) {
            writes.append(String(buffer: bytes))
        }
        return writes
    }

    func receive(_ text: String, on index: Int = 0) throws {
        channels[index].pipeline.fireChannelRead(ByteBuffer(string: text))
        channels[index].pipeline.fireChannelReadComplete()
        loop.run()
    }

    func closeByOrigin(_ index: Int) {
        channels[index].pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        loop.run()
    }
}

/// Keeps a channel open.
private final class CloseHolder: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        promise?.succeed()
    }
}

/// Counts the reads that reach the socket.
final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    private(set) var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}

/// Hears an exchange on an embedded loop, and sees that it keeps its word.
final class EmbeddedExchange: OriginResponseReceiver {
    var exchange: HTTPExchange?
    private(set) var statuses: [Int] = []
    private(set) var body = ""
    private(set) var isEnded = false
    private(set) var error: OriginError?
    private(set) var writableCalls = 0
    private(set) var violations: [String] = []
    var isCancelled = false
    /// Done when it has failed.
    var whenFailed: (() -> Void)?

    var isOver: Bool { isEnded || error != nil }

    private func check(_ call: String) {
        if exchange == nil { violations.append("\(call) before the start") }
        let mayStillFail = call == "failure" && isEnded && statuses.last == 101
        if isOver, !mayStillFail { violations.append("\(call) after the end") }
        if isCancelled { violations.append("\(call) after cancelling") }
    }

    func originAnswered(_ head: ResponseHead, framing: BodyFraming) {
        check("head")
        statuses.append(head.status)
    }

    func originSent(_ bytes: ByteBuffer) {
        check("bytes")
        body += String(buffer: bytes)
    }

    func originEnded(trailers: HeaderFields?) {
        check("end")
        isEnded = true
    }

    func originFailed(_ error: OriginError) {
        check("failure")
        self.error = error
        whenFailed?()
    }

    func originBecameWritable() {
        check("writability")
        writableCalls += 1
    }
}
