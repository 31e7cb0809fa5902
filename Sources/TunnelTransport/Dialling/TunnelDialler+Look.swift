package import HTTPMessage
package import NIOCore
package import TransportSecurity

/// What answered a request at a place.
package struct HTTPLook: Sendable {
    package var head: ResponseHead
    /// Until there was a connection: through the proxy, with TLS.
    package var connected: Duration
    /// From the request to the head of its answer.
    package var answered: Duration
    /// That the server has shown; nil without TLS.
    package var certificate: PeerCertificate?
}

extension TunnelDialler {
    /// Connects as for a tunnel, sends one GET that says nothing of the tunnel, and closes.
    ///
    /// - Parameter path: with a leading slash.
    /// - Throws: `DialError`; `CancellationError` when the task was cancelled before.
    package func look(at path: String, on eventLoop: any EventLoop) async throws -> HTTPLook {
        let isOpen = eventLoop.makePromise(of: Void.self)
        let seen = eventLoop.makePromise(of: HTTPLook.self)
        isOpen.futureResult.cascadeFailure(to: seen)
        let (target, patience) = (self.target, self.patience)
        let connecting = connect(on: eventLoop, isOpen) { pipeline in
            try pipeline.addHandler(
                LookHandler(target, path: path, patience: patience, isOpen: isOpen, seen: seen))
        }
        defer { connecting.whenSuccess { $0.close(promise: nil) } }
        return try await withTaskCancellationHandler {
            try await seen.futureResult.get()
        } onCancel: {
            isOpen.fail(CancellationError())
        }
    }
}

/// Sends a request and takes the head of its answer.
private final class LookHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let target: TunnelDialler.Target
    private let path: String
    private let patience: TimeAmount
    private let isOpen: EventLoopPromise<Void>
    private let seen: EventLoopPromise<HTTPLook>
    private let start = ContinuousClock.now
    private var connectedAt: ContinuousClock.Instant?
    private var certificate: PeerCertificate?
    private var reader = ResponseHeadReader()
    private var input = ByteBuffer()
    private var timer: Scheduled<Void>?
    private var isDone = false

    init(
        _ target: TunnelDialler.Target, path: String, patience: TimeAmount, isOpen: EventLoopPromise<Void>,
        seen: EventLoopPromise<HTTPLook>
    ) {
        self.target = target
        self.path = path
        self.patience = patience
        self.isOpen = isOpen
        self.seen = seen
    }

    func channelActive(context: ChannelHandlerContext) {
        connectedAt = .now
        certificate = PeerCertificate.shown(in: context.pipeline.syncOperations)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            self.fail(DialError(.timedOut, "there was no answer to a request"), context)
        }
        var fields = HeaderFields()
        fields.append(.host, target.authority)
        fields.append(named: "Connection", "close")
        fields.append(named: "Accept", "*/*")
        if let proxy = target.plainProxy, let authorization = proxy.authorization {
            fields.append(named: "Proxy-Authorization", authorization)
        }
        let place = target.plainProxy == nil ? "" : "http://\(target.authority)"
        var bytes = ByteBuffer()
        bytes.writeRequestHead(RequestHead(method: "GET", target: place + path, fields: fields))
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        var bytes = unwrapInboundIn(data)
        input.writeBuffer(&bytes)
        do throws(HTTPMessageError) {
            guard let head = try reader.nextFinal(&input) else { return }
            let connectedAt = connectedAt ?? start
            finish(context)
            seen.succeed(
                HTTPLook(
                    head: head, connected: connectedAt - start, answered: .now - connectedAt,
                    certificate: certificate))
            isOpen.succeed()
        } catch {
            fail(DialError(.notATunnelServer, "what answers there does not speak HTTP: \(error)"), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(DialError(.unreachable, "the connection was closed before an answer came"), context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(DialError(.unreachable, ConnectionFailure.describe(error)), context)
    }

    private func fail(_ error: DialError, _ context: ChannelHandlerContext) {
        guard !isDone else { return }
        finish(context)
        isOpen.fail(error.through(target.proxy))
    }

    private func finish(_ context: ChannelHandlerContext) {
        isDone = true
        timer?.cancel()
        context.close(promise: nil)
    }
}
