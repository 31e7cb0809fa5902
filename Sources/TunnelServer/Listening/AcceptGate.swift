import NIOCore

/// Takes connections from a listening socket when its server wants them and descriptors are left. Else the kernel
/// keeps them in its queue: NIO alone would be told of the one in front again and again, and get no further.
///
/// Bound to the listener's event loop.
final class AcceptGate: ChannelInboundHandler {
    typealias InboundIn = any Channel

    /// Until it is seen whether others have let go of theirs.
    private static let pause: TimeAmount = .milliseconds(250)

    private let reserve: DescriptorReserve
    private let shortage: DescriptorShortage
    private var context: ChannelHandlerContext?
    private var isWanted = false
    private var isPaused = false

    init(_ reserve: DescriptorReserve, _ shortage: DescriptorShortage) {
        self.reserve = reserve
        self.shortage = shortage
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Whether its server takes connections by this listener.
    ///
    /// - Throws: when the channel is closed.
    func setWanted(_ isWanted: Bool) throws {
        self.isWanted = isWanted
        try update()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard DescriptorReserve.isShortage(error) else { return context.fireErrorCaught(error) }
        pause()
    }

    /// A connection was taken. Looked at here and at once: its own event loop may be busy, and meanwhile others would be
    /// taken, and with them the descriptors which callers should leave alone.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isPaused, reserve.isUsedUp { pause() }
        context.fireChannelRead(data)
    }

    private func pause() {
        guard !isPaused, let context else { return }
        isPaused = true
        shortage.began(limit: reserve.limit)
        try? update()
        lookAgain(context)
    }

    private func lookAgain(_ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            guard let context = self.context else { return self.shortage.ended() }
            guard !self.reserve.isUsedUp else {
                self.shortage.began(limit: self.reserve.limit)
                return self.lookAgain(context)
            }
            self.isPaused = false
            self.shortage.ended()
            try? self.update()
        }
    }

    private func update() throws {
        try context?.channel.syncOptions?.setOption(.autoRead, value: isWanted && !isPaused)
    }
}
