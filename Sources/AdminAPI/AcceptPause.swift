import NIOCore

/// Pauses where no connection can be taken, as when descriptors have run out: else the listener would be told of the one
/// in front again and again. Bound to the listener's event loop.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let pause: TimeAmount = .milliseconds(250)

    private var context: ChannelHandlerContext?
    private var isPaused = false

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isPaused else { return }
        isPaused = true
        read(false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPaused = false
            self.read(true)
        }
    }

    private func read(_ isWanted: Bool) {
        try? context?.channel.syncOptions?.setOption(.autoRead, value: isWanted)
    }
}
