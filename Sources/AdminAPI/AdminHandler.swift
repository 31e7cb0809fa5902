import HTTPMessage
import NIOCore

/// A whole request and the way back to who sent it.
struct AdminRequest: Sendable {
    let head: RequestHead
    private let channel: any Channel
    private let patience: TimeAmount

    init(head: RequestHead, channel: any Channel, patience: TimeAmount) {
        self.head = head
        self.channel = channel
        self.patience = patience
    }

    /// Answers and closes. A client that does not take the answer is left.
    ///
    /// What the client still sends is read until it closes in turn: a socket that is closed with bytes unread resets
    /// the connection, and the client may lose the answer.
    func send(_ answer: OwnAnswer) {
        let channel = channel
        let timer = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in timer.cancel() }
        channel.writeAndFlush(answer.encoded(toMethod: head.method, closing: true, date: nil)).whenComplete {
            result in
            switch result {
            case .success: channel.close(mode: .output, promise: nil)
            case .failure: channel.close(promise: nil)
            }
        }
    }
}

/// Reads the one request of an admin connection.
final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// No request needs a body; a small one is read and dropped.
    static let mostBodyBytes = 64 << 10

    private let census: AdminCensus
    private let patience: TimeAmount
    private let requests: AsyncStream<AdminRequest>.Continuation
    private var reader = RequestHeadReader()
    private var input = ByteBuffer()
    private var head: RequestHead?
    private var body: BodyDecoder?
    private var bodyBytes = 0
    private var isDone = false
    /// Whether who asks is on this machine.
    private var isOwn = true
    /// Whether the request is a HEAD, whatever else it may be: its answer has no body (RFC 9110 §9.3.2).
    private var asksForHead = false
    private var timer: Scheduled<Void>?

    init(
        census: AdminCensus, patience: TimeAmount, requests: AsyncStream<AdminRequest>.Continuation
    ) {
        self.census = census
        self.patience = patience
        self.requests = requests
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        // By a Unix socket there are no addresses.
        isOwn = context.remoteAddress?.ipAddress == context.localAddress?.ipAddress
        guard census.enter(isOwn: isOwn) else {
            context.close(promise: nil)
            return
        }
        timer = context.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        census.leave(isOwn: isOwn)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        var bytes = unwrapInboundIn(data)
        input.writeBuffer(&bytes)
        if let start = input.getString(at: 0, length: 5) { asksForHead = start == "HEAD " }
        do throws(HTTPMessageError) {
            guard let head = try wholeRequest() else { return }
            end()
            let request = AdminRequest(head: head, channel: context.channel, patience: patience)
            if case .enqueued = requests.yield(request) { return }
            context.close(promise: nil)
        } catch {
            end()
            let head = RequestHead(method: asksForHead ? "HEAD" : "", target: "")
            AdminRequest(head: head, channel: context.channel, patience: patience)
                .send(.adminError(error.status, "\(error)"))
        }
    }

    private func end() {
        isDone = true
        timer?.cancel()
        input = ByteBuffer()
    }

    private func wholeRequest() throws(HTTPMessageError) -> RequestHead? {
        if head == nil {
            guard let next = try reader.next(&input) else { return nil }
            let framing = try next.bodyFraming()
            guard framing != .none else { return next }
            head = next
            body = BodyDecoder(framing)
        }
        while let part = try body?.next(&input) {
            guard case .bytes(let bytes) = part else { return head }
            bodyBytes += bytes.readableBytes
            guard bodyBytes <= Self.mostBodyBytes else {
                throw HTTPMessageError(.malformed, "the body is too large")
            }
        }
        return nil
    }
}
