import struct NIOCore.ByteBuffer

/// One exchange within a session: what waits to be sent, what may be received, and which directions are open.
struct MuxStream {
    /// How the sending direction ends once everything that waits is sent.
    enum Ending {
        case last
        case trailers(ByteBuffer)
    }

    var sendCredit: Int
    var waiting = FIFO<ByteBuffer>()
    var waitingBytes = 0
    var ending: Ending?
    var hasSentEverything = false
    /// Whether the stream stands in the session's queue of those that have something to write.
    var isScheduled = false
    /// Whether the sender was asked to wait.
    var senderWaits = false

    var receiveWindow: ReceiveWindow
    var hasReceivedEverything = false
    /// What still comes is dropped: the answer is whole without it.
    var ignoresRest = false

    var isDone: Bool { hasSentEverything && hasReceivedEverything }

    /// Whether a frame could be written now.
    var hasSomethingToWrite: Bool {
        guard !hasSentEverything else { return false }
        return waitingBytes > 0 ? sendCredit > 0 : ending != nil
    }
}
