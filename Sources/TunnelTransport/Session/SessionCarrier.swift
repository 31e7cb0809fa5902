import HostSystem
import NIOCore
package import TunnelProtocol

/// What carries the messages of one session between its two ends, whole and in order: a WebSocket (`WebSocketCarrier`).
/// Bound to the session's event loop.
///
/// What comes it gives to the session by `carrierOpened`, `beginsToReceive`, `received`, `heard`, `wasAnswered` and
/// `carrierEnded`: in shares of the event loop's turns, see `LoopTurns`, and none while the session is blocked. While some
/// of it waits for either, it sets `Session.isHeld`, and takes nothing from its connection. It says `becameWritable` when it
/// takes more after it did not.
package protocol SessionCarrier: AnyObject {
    /// Whether it takes more of what is to be sent. When it does not, a `flush` may change that.
    var isWritable: Bool { get }
    /// How much data goes into one message, or piece of one, before the next begins, in bytes.
    var pieceBytes: Int { get }
    /// What the network says of what was sent; nil where it says nothing.
    var progress: CarrierProgress? { get }
    /// An empty piece, with room for what the carrier writes before it.
    func makePiece() -> FrameBuffer
    /// Takes a piece, or the question for a sign of life. It may wait for `flush`.
    func write(_ piece: consuming FrameBuffer, as output: SessionOutput)
    func flush()
    /// Gives back what it keeps for what may come.
    func giveBackMemory()
    /// Goes on with what came and was not taken.
    func resume()
    /// Says that nothing more comes from here, and takes nothing more but the other end's word that it is so.
    func closeOutput()
    /// The session is over: lets the peer know where that is possible, and closes.
    func close(after end: SessionEnd)
}

extension SessionCarrier {
    package func giveBackMemory() {}
}

/// What the network says of what was sent.
package struct CarrierProgress {
    /// Bytes that the peer's machine has, since the connection began.
    package var acknowledged: UInt64
    /// Bytes that were given to the connection and have not arrived.
    package var waiting: Int

    package init(acknowledged: UInt64, waiting: Int) {
        self.acknowledged = acknowledged
        self.waiting = waiting
    }

    /// What the kernel tells of a channel's TCP connection; nil where there is none.
    init?(ofSocketBeneath context: ChannelHandlerContext) {
        guard let acknowledged = KernelQueue.acknowledged(context) else { return nil }
        let buffered = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        self.init(
            acknowledged: acknowledged,
            waiting: (KernelQueue.unacknowledged(context) ?? 0) + (buffered ?? 0))
    }
}
