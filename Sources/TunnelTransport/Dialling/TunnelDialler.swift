package import HTTPMessage
package import NIOCore
import NIOPosix

/// Why a tunnel server was not reached.
package struct DialError: Error, Sendable, CustomStringConvertible {
    /// A bounded set of reasons.
    package enum Code: String, Sendable, Hashable {
        /// No connection came about: name, network, TLS.
        case unreachable
        /// The server did not answer in time.
        case timedOut
        /// The server refused; its status and the first line of its words are in the message.
        case rejected
        /// What answered is no tunnel server that we can talk to.
        case notATunnelServer
    }

    package let code: Code
    /// What went wrong, in words.
    package let message: String
    /// Whether trying again soon is pointless: the server said no to who we are, or that we come too often.
    package let isRefusal: Bool

    package init(_ code: Code, _ message: String, isRefusal: Bool = false) {
        self.code = code
        self.message = message
        self.isRefusal = isRefusal
    }

    package var description: String { message }
}

/// Dials a tunnel server: TCP, TLS if asked for, the WebSocket handshake.
package struct TunnelDialler: Sendable {
    /// Where to dial and what to say.
    package struct Target: Sendable {
        package var host: String
        package var port: Int
        /// Path of the handshake, `/_tunnel` included.
        package var path: String
        /// Fields that announce the tunnel: `Origin`, `Authorization`, …
        package var fields: HeaderFields
        /// TLS to the server, or nil for ws://.
        package var tls: ClientTLS?

        package init(host: String, port: Int, path: String, fields: HeaderFields, tls: ClientTLS?) {
            self.host = host
            self.port = port
            self.path = path
            self.fields = fields
            self.tls = tls
        }
    }

    /// How long the connection, and then the handshake, may take.
    private static let patience: TimeAmount = .seconds(10)

    private let target: Target

    package init(_ target: Target) { self.target = target }

    /// Opens one session.
    ///
    /// - Parameter makeHandler: makes the session's handler on the channel's event loop once the handshake is done.
    /// - Throws: `DialError`.
    package func dial(
        on eventLoop: any EventLoop, makeHandler: @escaping @Sendable (TunnelVersion) -> SessionHandler
    ) async throws -> any Channel {
        let target = self.target
        let isOpen = eventLoop.makePromise(of: Void.self)
        let connecting = ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.patience)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = target.tls {
                        try channel.pipeline.syncOperations.addHandler(tls.makeHandler(host: target.host))
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        DialHandler(
                            target: target, patience: Self.patience, isOpen: isOpen, makeHandler: makeHandler)
                    )
                }
            }
            .connect(host: target.host, port: target.port)
        connecting.whenFailure { isOpen.fail(DialError(.unreachable, ConnectionFailure.describe($0))) }
        return try await withTaskCancellationHandler {
            try await isOpen.futureResult.get()
            return try await connecting.get()
        } onCancel: {
            isOpen.fail(CancellationError())
            connecting.whenSuccess { $0.close(promise: nil) }
        }
    }
}

/// Asks for the WebSocket and gives way to the session's handler.
private final class DialHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How much of a refusal's body is quoted.
    private static let longestQuote = 200

    private let target: TunnelDialler.Target
    private let patience: TimeAmount
    private let isOpen: EventLoopPromise<Void>
    private let makeHandler: @Sendable (TunnelVersion) -> SessionHandler
    private let handshake = ClientHandshake()
    private var reader = ResponseHeadReader()
    private var input = ByteBuffer()
    private var refusal: ResponseHead?
    private var refusalBody = BodyDecoder(.untilClose)
    private var quote = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var isDone = false

    init(
        target: TunnelDialler.Target, patience: TimeAmount, isOpen: EventLoopPromise<Void>,
        makeHandler: @escaping @Sendable (TunnelVersion) -> SessionHandler
    ) {
        self.target = target
        self.patience = patience
        self.isOpen = isOpen
        self.makeHandler = makeHandler
    }

    func channelActive(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            if self.refusal != nil {
                self.rejected(context)
            } else {
                self.fail(DialError(.timedOut, "the tunnel server did not answer"), context)
            }
        }
        var fields = handshake.requestFields()
        let isDefaultPort = target.port == (target.tls == nil ? 80 : 443)
        let host = target.host.contains(":") ? "[\(target.host)]" : target.host
        fields.append(.host, isDefaultPort ? host : "\(host):\(target.port)")
        var bytes = ByteBuffer()
        bytes.writeRequestHead(
            RequestHead(method: "GET", target: target.path, fields: fields.appending(target.fields)))
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        var bytes = unwrapInboundIn(data)
        input.discardReadBytes()
        input.writeBuffer(&bytes)
        if refusal == nil {
            do throws(HTTPMessageError) {
                // Interim answers may precede the answer (RFC 9110 §15.2).
                guard let head = try nextFinalHead() else { return }
                if head.status == 101 { return switched(head, context) }
                refusal = head
                refusalBody = BodyDecoder(try head.bodyFraming(requestMethod: "GET"))
            } catch {
                fail(
                    DialError(.notATunnelServer, "what answers there does not speak HTTP: \(error)"), context)
                return
            }
        }
        if isQuoteWhole() { rejected(context) }
    }

    private func nextFinalHead() throws(HTTPMessageError) -> ResponseHead? {
        while let head = try reader.next(&input) {
            if !head.isInterim { return head }
        }
        return nil
    }

    /// Takes what came of a refusal's body; whether no more of it is needed.
    private func isQuoteWhole() -> Bool {
        while quote.readableBytes < Self.longestQuote {
            do throws(HTTPMessageError) {
                switch try refusalBody.next(&input) {
                case .bytes(let bytes): quote.writeImmutableBuffer(bytes)
                case .end: return true
                case nil: return false
                }
            } catch {
                // The status says enough.
                return true
            }
        }
        return true
    }

    func channelInactive(context: ChannelHandlerContext) {
        if refusal != nil {
            rejected(context)
        } else {
            fail(DialError(.unreachable, "the connection was closed during the handshake"), context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(DialError(.unreachable, ConnectionFailure.describe(error)), context)
    }

    private func switched(_ head: ResponseHead, _ context: ChannelHandlerContext) {
        guard handshake.isAccepted(head) else {
            fail(DialError(.notATunnelServer, "the server's 101 opens no WebSocket"), context)
            return
        }
        guard let version = handshake.version(chosenBy: head) else {
            fail(
                DialError(
                    .notATunnelServer, "the server chose a WebSocket subprotocol that we did not offer"),
                context)
            return
        }
        isDone = true
        timer?.cancel()
        do {
            let handler = makeHandler(version)
            let pipeline = context.pipeline
            try pipeline.syncOperations.addHandler(handler, position: .after(self))
            isOpen.succeed()
            if input.readableBytes > 0 {
                context.fireChannelRead(wrapInboundOut(input))
                context.fireChannelReadComplete()
            }
            pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            fail(DialError(.unreachable, ConnectionFailure.describe(error)), context)
        }
    }

    private func rejected(_ context: ChannelHandlerContext) {
        guard let refusal else { return }
        let words =
            String(decoding: quote.readableBytesView.prefix(Self.longestQuote), as: UTF8.self)
            .split(whereSeparator: \.isNewline).first.map(String.init) ?? refusal.reason
        let isRefusal = (400...403).contains(refusal.status) || refusal.status == 429
        fail(
            DialError(.rejected, "the server answered \(refusal.status): \(words)", isRefusal: isRefusal),
            context)
    }

    private func fail(_ error: DialError, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        timer?.cancel()
        isOpen.fail(error)
        context.close(promise: nil)
    }
}

extension HeaderFields {
    /// These fields, followed by others.
    fileprivate func appending(_ others: HeaderFields) -> HeaderFields {
        var all = self
        for (name, value) in others.pairs { all.append(named: name, value) }
        return all
    }
}
