import HTTPMessage
import NIOCore
import TunnelProtocol

/// One connection that carries requests of the long-poll carrier, one after another: HTTP/1.1, as proxies know it. Bound to
/// its channel's event loop.
final class PollConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What comes of one request.
    enum Event {
        /// The request went out.
        case sent
        case head(ResponseHead)
        case body(ByteBuffer)
        /// The answer is whole.
        case end
        /// There will be no more of it.
        case failed(any Error)
    }

    /// The connection was closed before the answer was whole.
    struct Cut: Error {}

    /// A connection that was idle for longer is not used any more.
    private static let longestIdle: TimeAmount = .seconds(15)

    private enum State {
        /// - Parameter queued: what goes out when it is there.
        case connecting(queued: ByteBuffer?)
        case ready
        case closed
    }

    private var state = State.connecting(queued: nil)
    private var context: ChannelHandlerContext?
    private var observer: ((Event) -> Void)?
    private var reader = ResponseHeadReader()
    private var body: BodyDecoder?
    private var input = ByteBuffer()
    private var staysOpen = true
    /// Whether a request went out.
    private(set) var hasSent = false
    /// Whether an answer has come before the one that is waited for.
    private(set) var isReused = false
    private var idleSince = NIODeadline.distantPast

    /// Whether another request can go on it.
    var isIdle: Bool {
        if case .ready = state { return observer == nil && staysOpen }
        return false
    }

    /// Whether it has been idle for so long that something in between may have forgotten it.
    func isStale(now: NIODeadline) -> Bool { now > idleSince + Self.longestIdle }

    /// Sends a request. Its events come until `end` or `failed`.
    func send(_ head: RequestHead, body: ByteBuffer, observer: @escaping (Event) -> Void) {
        self.observer = observer
        reader = ResponseHeadReader()
        self.body = nil
        var bytes = ByteBuffer()
        bytes.writeRequestHead(head)
        bytes.writeImmutableBuffer(body)
        switch state {
        case .connecting: state = .connecting(queued: bytes)
        case .ready:
            context.map { send(bytes, $0) }
        case .closed: tell(.failed(Cut()))
        }
    }

    private func send(_ request: ByteBuffer, _ context: ChannelHandlerContext) {
        hasSent = true
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
        observer?(.sent)
    }

    /// Closes it; who waits for an answer hears no more.
    func close() {
        observer = nil
        context?.close(promise: nil)
        if case .connecting = state { state = .closed }
    }

    /// It never came about.
    func failed(_ error: any Error) {
        state = .closed
        tell(.failed(error))
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        guard case .connecting(let queued) = state else { return context.close(promise: nil) }
        state = .ready
        if let queued { send(queued, context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard observer != nil else {
            // Nobody asked.
            return context.close(promise: nil)
        }
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        do throws(HTTPMessageError) { try takeAnswer() } catch {
            tell(.failed(error))
            context.close(promise: nil)
        }
    }

    private func takeAnswer() throws(HTTPMessageError) {
        if body == nil {
            guard let head = try reader.nextFinal(&input) else { return }
            let framing = try head.bodyFraming(requestMethod: "POST")
            body = BodyDecoder(framing, isLenient: true)
            staysOpen = head.allowsKeepAlive && framing != .untilClose
            observer?(.head(head))
        }
        while observer != nil, let part = try body?.next(&input) {
            switch part {
            case .bytes(let bytes): observer?(.body(bytes))
            case .end: return answerEnded()
            }
        }
        input.discardReadBytes()
    }

    private func answerEnded() {
        input = ByteBuffer()
        body = nil
        isReused = true
        if let context { idleSince = context.eventLoop.now }
        tell(.end)
        if !staysOpen, observer == nil { context?.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        state = .closed
        if case .end? = try? body?.endOfInput() { answerEnded() } else { tell(.failed(Cut())) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        tell(.failed(error))
        context.close(promise: nil)
    }

    /// Once: nothing comes behind it.
    private func tell(_ event: Event) {
        guard let observer = observer.take() else { return }
        observer(event)
    }
}
