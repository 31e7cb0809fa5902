import HTTPMessage
import NIOCore

/// An HTTP proxy that opens connections for us (CONNECT).
package struct HTTPProxy: Sendable {
    package var host: String
    package var port: Int
    /// Value of `Proxy-Authorization`, or nil for none. Never logged.
    package var authorization: String?

    package init(host: String, port: Int, authorization: String?) {
        self.host = host
        self.port = port
        self.authorization = authorization
    }

    /// Host and port, as messages name it.
    package var name: String { hostAndPort(host, port) }

    /// What to do where it wants to know who we are; nil for other answers.
    func words(ofAuthentication status: Int) -> String? {
        // Some proxies say 401 where 407 is meant.
        guard status == 407 || status == 401 else { return nil }
        return authorization == nil
            ? "the proxy \(name) asks for a user and a password (\(status)): write them before its host, as in http://user:password@host:port"
            : "the proxy \(name) does not take the user and the password that its URL names (\(status)): correct them"
    }
}

/// Asks an HTTP proxy for a connection to the tunnel server (RFC 9110 §9.3.6).
///
/// Stands before everything else in the pipeline, TLS with the server included: to those the channel becomes active
/// when the proxy has agreed. What comes behind its answer is theirs. Then it leaves.
final class ProxyHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A proxy's answer is short; its fields count for nothing.
    private static let limits = HTTPLimits(headBytes: 16 << 10, fieldCount: 64, startLineBytes: 1 << 10)

    private let proxy: HTTPProxy
    /// What the proxy is to connect to: host and port.
    private let destination: String
    private let patience: TimeAmount
    private let isOpen: EventLoopPromise<Void>
    private var reader = ResponseHeadReader(limits: limits)
    private var input = ByteBuffer()
    private var refusal: RefusalQuote?
    private var timer: Scheduled<Void>?
    private var isDone = false

    /// - Parameters:
    ///   - destination: host and port of the tunnel server.
    ///   - patience: how long the proxy may take for all of its answer.
    ///   - isOpen: fails with a `DialError` when the proxy does not agree.
    init(
        _ proxy: HTTPProxy, destination: String, patience: TimeAmount, isOpen: EventLoopPromise<Void>
    ) {
        self.proxy = proxy
        self.destination = destination
        self.patience = patience
        self.isOpen = isOpen
    }

    func channelActive(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) { self.timeIsUp(context) }
        var fields = HeaderFields([.host: destination])
        if let authorization = proxy.authorization { fields.append(.proxyAuthorization, authorization) }
        var bytes = ByteBuffer()
        bytes.writeRequestHead(RequestHead(method: "CONNECT", target: destination, fields: fields))
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return context.fireChannelRead(data) }
        var bytes = unwrapInboundIn(data)
        input.discardReadBytes()
        input.writeBuffer(&bytes)
        do throws(HTTPMessageError) {
            if refusal == nil {
                guard let head = try reader.nextFinal(&input) else { return }
                // Whatever such an answer says of a body, there is none.
                if (200...299).contains(head.status) { return connected(context) }
                refusal = try RefusalQuote(head, requestMethod: "CONNECT")
            }
            if refusal?.take(&input) == true { rejected(context) }
        } catch {
            fail(
                .notAProxy, "what answers at the proxy's address \(proxy.name) is no HTTP proxy: \(error)",
                context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if refusal != nil {
            rejected(context)
        } else {
            fail(
                .proxyUnreachable,
                "the proxy \(proxy.name) closed the connection instead of connecting to \(destination)",
                context)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isDone else { return context.fireErrorCaught(error) }
        fail(.proxyUnreachable, "the proxy \(proxy.name): \(ConnectionFailure.describe(error))", context)
    }

    private func timeIsUp(_ context: ChannelHandlerContext) {
        if refusal != nil {
            rejected(context)
        } else {
            fail(
                .proxyTimedOut,
                "the proxy \(proxy.name) did not answer the request for \(destination) in time",
                context)
        }
    }

    private func connected(_ context: ChannelHandlerContext) {
        isDone = true
        timer?.cancel()
        let pipeline = context.pipeline
        context.fireChannelActive()
        if input.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(input))
            context.fireChannelReadComplete()
        }
        pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func rejected(_ context: ChannelHandlerContext) {
        guard let refusal else { return }
        let status = refusal.head.status
        let message =
            proxy.words(ofAuthentication: status)
            ?? "the proxy \(proxy.name) did not connect to \(destination): it answered \(status): \(refusal.plainWords)"
        fail(
            .proxyRejected, message, context, isRefusal: [401, 403, 407].contains(status),
            isBlocked: ![401, 407].contains(status))
    }

    private func fail(
        _ code: DialError.Code, _ message: String, _ context: ChannelHandlerContext, isRefusal: Bool = false,
        isBlocked: Bool = false
    ) {
        guard !isDone else { return }
        isDone = true
        timer?.cancel()
        isOpen.fail(DialError(code, message, isRefusal: isRefusal, isBlocked: isBlocked))
        context.close(promise: nil)
    }
}
