import HostSystem
package import NIOCore
import TunnelProtocol

/// Carries the bytes of a `PipeChannel` in the binary messages of a WebSocket: where TLS is spoken inside it. Last in the
/// WebSocket's channel, and bound to its event loop.
package final class WebSocketPipe: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// What goes into one message, in bytes.
    private static let longestMessage = 64 << 10
    /// What came and was not taken, from which on no more is read, in bytes.
    private static let mostReceived = 256 << 10

    private var frames: WebSocketDecoder
    private var masks: MaskSource?
    private var context: ChannelHandlerContext?
    private var pipe: PipeChannel?
    private var input = ByteBuffer()
    /// What came and was not taken.
    private var received = ByteBuffer()
    /// Answers to pings that came together.
    private var pongs = ByteBuffer()
    private var isReadHeld = false
    private var hasSaidGoodbye = false
    private let addHandlers: (PipeChannel) throws -> Void

    /// - Parameters:
    ///   - isClient: whether it masks, and its peer does not (RFC 6455 §5.1).
    ///   - addHandlers: puts on the pipe what is spoken inside.
    package init(isClient: Bool, addHandlers: @escaping (PipeChannel) throws -> Void) {
        frames = WebSocketDecoder(expectsMask: !isClient, maximumMessageBytes: .max)
        masks = isClient ? MaskSource() : nil
        self.addHandlers = addHandlers
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let pipe = PipeChannel(self, on: context.eventLoop, remoteAddress: context.channel.remoteAddress)
        self.pipe = pipe
        do {
            try addHandlers(pipe)
            pipe.open()
        } catch {
            self.pipe = nil
            pipe.close(promise: nil)
            context.close(promise: nil)
        }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        ended(nil)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        ended(nil)
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        ended(error)
        context.close(promise: nil)
    }

    private func ended(_ error: (any Error)?) {
        guard let pipe = pipe.take() else { return }
        pipe.transportEnded(error)
    }

    // MARK: Reading

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        do throws(WebSocketError) {
            while let event = try frames.next(&input) { take(event, context) }
            input.discardReadBytes()
        } catch {
            ended(nil)
            context.close(promise: nil)
        }
        if pongs.readableBytes > 0 {
            context.writeAndFlush(wrapOutboundOut(pongs), promise: nil)
            pongs = ByteBuffer()
        }
        pipe?.transportMoved()
    }

    private func take(_ event: WebSocketDecoder.Event, _ context: ChannelHandlerContext) {
        switch event {
        case .message(let bytes, _):
            if received.readableBytes == 0 { received = bytes } else { received.writeImmutableBuffer(bytes) }
        case .ping(let payload):
            if context.channel.isWritable { pongs.writeWebSocketPong(payload, mask: masks?.next()) }
        case .pong: break
        case .close:
            sayGoodbye()
            context.close(promise: nil)
        }
    }

    package func read(context: ChannelHandlerContext) {
        if received.readableBytes > Self.mostReceived { isReadHeld = true } else { context.read() }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        pipe?.transportMoved()
        context.fireChannelWritabilityChanged()
    }
}

extension WebSocketPipe: PipeTransport {
    package var mostUnsent: Int { Self.longestMessage }

    /// Its own channel knows when it is full.
    package var unsentBytes: Int { context?.channel.isWritable == true ? 0 : mostUnsent + 1 }

    package var progress: CarrierProgress? { context.flatMap { CarrierProgress(ofSocketBeneath: $0) } }

    package func send(_ bytes: ByteBuffer) {
        guard let context else { return }
        var bytes = bytes
        while let piece = bytes.readSlice(length: min(bytes.readableBytes, Self.longestMessage)),
            piece.readableBytes > 0
        {
            var frame = FrameBuffer(capacity: piece.readableBytes)
            frame.buffer.writeImmutableBuffer(piece)
            context.write(wrapOutboundOut(frame.finished(as: .binary, mask: masks?.next())), promise: nil)
        }
    }

    package func flush() { context?.flush() }

    package func receive() -> ByteBuffer? {
        guard received.readableBytes > 0 else { return nil }
        let bytes = received
        received = ByteBuffer()
        if isReadHeld {
            isReadHeld = false
            context?.read()
        }
        return bytes
    }

    package func finish() { sayGoodbye() }

    package func channelClosed() {
        pipe = nil
        sayGoodbye()
        context?.close(promise: nil)
    }

    private func sayGoodbye() {
        guard let context, !hasSaidGoodbye else { return }
        hasSaidGoodbye = true
        var frame = ByteBuffer()
        frame.writeWebSocketClose(.goingAway, mask: masks?.next())
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }
}
