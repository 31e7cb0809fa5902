import struct NIOCore.ByteBuffer

/// One exchange within a session: what waits to be sent, what may be received, and which directions are open.
struct MuxStream {
    /// How the sending direction ends once everything that waits is sent.
    enum Ending {
        case last
        case trailers(ByteBuffer)
        /// Short of its end, and the other direction with it.
        case reset(ResetCode, reason: String)
    }

    var sendCredit: Int
    var waiting = ByteQueue()
    var ending: Ending?
    var hasSentEverything = false
    /// Whether the stream stands in the session's queue of those that have something to write.
    var isScheduled = false
    /// When all who waited at its last turn will have had theirs.
    var roundEnd: UInt64 = 0
    /// Whether the sender was asked to wait.
    var senderWaits = false

    var receiveWindow: ReceiveWindow
    var hasReceivedEverything = false
    /// What still comes is dropped: the answer is whole without it.
    var ignoresRest = false

    /// Whether the peer answered in any way.
    var hasAnswer = false
    /// Whether the final head of the answer went through, so that only a body and trailers may follow.
    var hasFinalHead = false
    /// What interim heads of the answer took, their frame headers included.
    var interimBytes = 0

    var isDone: Bool { hasSentEverything && hasReceivedEverything }

    /// Whether a frame could be written now.
    var hasSomethingToWrite: Bool {
        guard !hasSentEverything else { return false }
        return waiting.count > 0 ? sendCredit > 0 : ending != nil
    }

    /// Counts an interim head.
    ///
    /// - Returns: false when the stream had its share of them, and this one is to be dropped.
    mutating func takesInterim(_ head: ByteBuffer, _ limits: SessionLimits) -> Bool {
        // Empty ones must count too.
        let count = interimBytes + MuxFrame.headerBytes + head.readableBytes
        guard count <= limits.maximumHeadBytes else { return false }
        interimBytes = count
        return true
    }
}

/// What of a peer's settings a machine of protocol v2 keeps to.
struct PeerBounds {
    let maximumStreams: Int
    let initialWindow: Int
    let features: SessionFeatures

    init(_ settings: SessionSettings) {
        maximumStreams = settings.maximumStreams
        initialWindow = settings.initialWindow
        features = settings.features
    }
}
