import NIOCore

/// The bytes of a connection of HTTP/2, below the handler that makes frames of them: counts those that come, and has those that
/// are written in one turn of the event loop leave together.
final class HTTP2Wire: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = ByteBuffer

    /// Bytes that came.
    private(set) var received = 0
    /// The first four of them, where so many came at once.
    private(set) var opening: UInt32 = 0
    private var context: ChannelHandlerContext?
    private var flushIsScheduled = false

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if received == 0 { opening = bytes.getInteger(at: bytes.readerIndex) ?? 0 }
        received += bytes.readableBytes
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // There are no files.
        guard case .byteBuffer(let bytes) = unwrapOutboundIn(data) else { return }
        context.write(wrapOutboundOut(bytes), promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        guard !flushIsScheduled else { return }
        flushIsScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.flushIsScheduled = false
            self.context?.flush()
        }
    }
}
