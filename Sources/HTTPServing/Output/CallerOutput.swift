import Glibc
import HostSystem
import NIOCore

/// The way back to a caller: writes, flushes, and the ways to close. Bound to the connection's event loop.
final class CallerOutput: TurnEnder {
    /// What counts as a small piece, in bytes.
    private static let smallPiece = ResponseEncoder.shortBody
    /// Small pieces go out once there are so many bytes of them.
    private static let mostGathered = 16 << 10

    /// What waits for a caller that does not read, beside what its exchange holds back.
    static let usuallyKept = ChannelOptions.Types.WriteBufferWaterMark(low: 32 << 10, high: 64 << 10)
    /// The same while memory is short: the window holds all of it.
    private static let littleKept = ChannelOptions.Types.WriteBufferWaterMark(low: 1, high: 1)
    /// What the kernel takes ahead of what it sends, while memory is short.
    private static let littleUnsent: UnsentBytes.Count = 16 << 10
    /// What may wait at last beside what the budget of the process allows, in bytes.
    private static let freelyWaiting = 64 << 10
    /// Pieces up to this size, in bytes, are copied into a buffer that may be twice as large.
    private static let pettyPiece = 4 << 10

    private let budget: (any OutputBudget)?
    /// Whether TLS lies beneath: then the socket is its own, and none of ours.
    private let isSecure: Bool
    /// Whether what is written goes together with more: nothing may go out in between.
    private let isFramed: Bool
    private var context: ChannelHandlerContext?
    /// The context's, as long as that is there: to ask it for its channel takes longer than to ask the channel.
    private var channel: (any Channel)?
    private let turns: LoopTurns
    private let turnEnd: TurnEnd
    private var keepsLittle = false
    private var isFlushScheduled = false
    /// Whether something was written since the last flush: a scheduled one comes to nothing where all has gone out before.
    private var hasUnflushed = false
    /// Bytes since then that TLS keeps until the next one, unseen by the channel.
    private var keptByTLS = 0
    /// Small pieces since the last flush, or for a caller that does not keep up: a head and its short body, chunks,
    /// events. Each write of its own would cost more than its bytes.
    private var gathered = ByteBuffer()
    /// What of it is borrowed from the budget of the process.
    private var borrowed = 0
    /// Bytes that waited when that was last looked at.
    private(set) var waitingAtLast = 0

    init(
        _ context: ChannelHandlerContext, budget: (any OutputBudget)?, isSecure: Bool, isFramed: Bool = false
    ) {
        self.context = context
        self.channel = context.channel
        self.turns = .of(context.eventLoop)
        self.turnEnd = turns.end
        self.budget = budget
        self.isSecure = isSecure
        self.isFramed = isFramed
    }

    /// The connection is over, or another handler's.
    func letGo() {
        giveBack()
        context = nil
        channel = nil
    }

    /// Nothing more will be written. What the next exchange fetches would come on top of what
    /// waits.
    ///
    /// - Returns: false where the budget of the process has no room for that.
    func borrowWhatWaits() -> Bool {
        noteWaiting()
        let more = waitingAtLast - Self.freelyWaiting
        guard more > 0, let budget else { return true }
        guard budget.take(more) else { return false }
        borrowed += more
        return true
    }

    func giveBack() {
        if borrowed > 0 { budget?.giveBack(borrowed) }
        borrowed = 0
    }

    func noteWaiting() { waitingAtLast = waiting }

    /// Keeps little for a caller that does not read while memory is short, and else as usual.
    private func keepWithinBudget() {
        guard let budget, budget.isShort != keepsLittle else { return }
        keepsLittle.toggle()
        let options = context?.channel.syncOptions
        try? options?.setOption(
            .writeBufferWaterMark, value: keepsLittle ? Self.littleKept : Self.usuallyKept)
        try? options?.setOption(
            UnsentBytes.option, value: keepsLittle ? Self.littleUnsent : UnsentBytes.most)
    }

    var isWritable: Bool { channel?.isWritable ?? false }

    /// Bytes that wait in this process.
    var waiting: Int {
        let buffered = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return gathered.readableBytes + (buffered ?? 0)
    }

    /// Bytes of which the caller's machine has not said that it has them.
    var undelivered: Int { waiting + (context.flatMap { KernelQueue.unacknowledged($0) } ?? 0) }

    func write(_ bytes: ByteBuffer) {
        guard let context else { return }
        hasUnflushed = true
        if isSecure { keptByTLS += bytes.readableBytes }
        defer { if isSecure, !isFramed { flushWhatTLSKeeps() } }
        keepWithinBudget()
        let isWritable = isWritable
        let goesAtOnce = isWritable && !keepsLittle
        guard bytes.readableBytes <= Self.smallPiece else {
            writeGathered()
            guard !goesAtOnce else { return context.write(NIOAny(bytes), promise: nil) }
            return Self.compact(bytes) { context.write(NIOAny($0), promise: nil) }
        }
        // Copied if it may have to wait: it would keep alive the whole buffer that it was read into.
        if gathered.readableBytes == 0, goesAtOnce {
            gathered = bytes
        } else {
            // Taken out: what a class has is looked at for conflicts whenever it is changed in place.
            var pieces = gathered
            gathered = ByteBuffer()
            pieces.writeImmutableBuffer(bytes)
            gathered = pieces
        }
        if gathered.readableBytes >= Self.mostGathered, isWritable { writeGathered() }
    }

    /// What has to wait, without the rest of the buffer that it was read into and would keep alive: that holds what came
    /// for other callers too. A buffer's memory is a power of two, so it goes in pieces that are such powers.
    static func compact(_ bytes: ByteBuffer, _ write: (ByteBuffer) -> Void) {
        guard bytes.storageCapacity > bytes.readableBytes / 4 * 5 else { return write(bytes) }
        var rest = bytes
        while rest.readableBytes > pettyPiece {
            let power = 1 << (Int.bitWidth - 1 - rest.readableBytes.leadingZeroBitCount)
            guard let piece = rest.readSlice(length: power) else { return }
            write(ByteBuffer(bytes: piece.readableBytesView))
        }
        if rest.readableBytes > 0 { write(ByteBuffer(bytes: rest.readableBytesView)) }
    }

    /// Nothing of it shows how much waits.
    func flushWhatTLSKeeps() { if keptByTLS > Self.freelyWaiting { flushNow() } }

    func flushNow() {
        hasUnflushed = false
        keptByTLS = 0
        writeGathered()
        context?.flush()
    }

    private func writeGathered() {
        guard gathered.readableBytes > 0 else { return }
        let pieces = gathered
        gathered = ByteBuffer()
        context?.write(NIOAny(pieces), promise: nil)
    }

    /// What was written goes out, together with what else is written in this turn of the event loop.
    func flushSoon() {
        guard !isFlushScheduled, context != nil else { return }
        isFlushScheduled = true
        turnEnd.tell(self)
    }

    func turnEnds() {
        isFlushScheduled = false
        if hasUnflushed { flushNow() }
    }

    func close() { context?.close(promise: nil) }

    /// Closes our direction when everything written has left, past NIO: it closes a channel whose output it knows to
    /// be closed as soon as the input ends, without a word about that end, and a caller that ends in order could not
    /// be told from one that leaves.
    func shutDownOnceSent() {
        whenSent { [self] isSent in
            guard isSent, let context else { return }
            guard !isSecure else { return context.close(mode: .output, promise: nil) }
            let result = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
                of: NIOBSDSocket.Handle.self
            ) { shutdown($0, Int32(SHUT_WR)) }
            if result == nil { context.close(mode: .output, promise: nil) }
        }
    }

    /// Tells when everything written has left, or cannot any more: NIO drops unsent bytes when a channel closes.
    func whenSent(_ action: @escaping (_ isSent: Bool) -> Void) {
        guard let context else { return }
        writeGathered()
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(NIOAny(ByteBuffer()), promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { action((try? $0.get()) != nil) }
    }

    /// Closes our direction behind what was written; tells when that has left, or cannot any more.
    func closeOutput(_ action: @escaping (_ isSent: Bool) -> Void) {
        guard let context else { return }
        writeGathered()
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.close(mode: .output, promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { action((try? $0.get()) != nil) }
    }

    /// Resets the connection.
    func reset() {
        let reset = Glibc.linger(l_onoff: 1, l_linger: 0)
        (context?.channel as? any SocketOptionProvider)?.setSoLinger(reset).whenFailure { _ in }
        guard isSecure else { return close() }
        context?.triggerUserOutboundEvent(SecureConnectionEvent.reset, promise: nil)
    }

    /// From now on each direction closes on its own.
    func allowHalfClosure() {
        try? context?.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
    }
}

/// What a connection's handler and the TLS beneath it tell each other.
package enum SecureConnectionEvent: Sendable {
    /// Upwards: the handshake is done. Nothing that is written before goes out.
    case isUp
    /// Downwards: the connection is to be closed past TLS.
    case reset
}
