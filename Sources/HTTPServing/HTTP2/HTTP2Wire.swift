import NIOCore

/// The bytes of a connection of HTTP/2, below the handler that makes frames of them: counts them, and has them go out as
/// those of HTTP/1 do.
final class HTTP2Wire: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = ByteBuffer

    /// GOAWAY that lets every stream come which is on its way (RFC 9113 §6.8). The handler above would take none after one
    /// that it knows of.
    private static let announcement: [UInt8] = [
        0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0,
    ]

    private let budget: (any OutputBudget)?
    private let isSecure: Bool
    private(set) var output: CallerOutput?
    /// Bytes that came.
    private(set) var received = 0
    /// Bytes that were written.
    private(set) var written = 0
    private var scan = HTTP2FrameScan()
    /// Told of a frame that nobody is to read.
    var refused: (() -> Void)?
    /// Told of what comes once nothing more is taken.
    var heard: (() -> Void)?
    /// Called when bytes were read, to see what they were: says how many are to be read before the next time.
    var weigh: (() -> Int)?
    private var piece = Int.max

    init(budget: (any OutputBudget)?, isSecure: Bool) {
        self.budget = budget
        self.isSecure = isSecure
    }

    func handlerAdded(context: ChannelHandlerContext) {
        output = CallerOutput(context, budget: budget, isSecure: isSecure, isFramed: true)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        output?.letGo()
        heard = nil
        weigh = nil
        refused = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var rest = unwrapInboundIn(data)
        guard heard != nil || scan.passes(rest.readableBytesView) else {
            refused?()
            return
        }
        while rest.readableBytes > 0 {
            if let heard { return heard() }
            guard let bytes = rest.readSlice(length: min(piece, rest.readableBytes)) else { return }
            received += bytes.readableBytes
            context.fireChannelRead(wrapInboundOut(bytes))
            piece = weigh?() ?? piece
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        // Nobody waits for it, and there are no files.
        promise?.succeed()
        if case .byteBuffer(let bytes) = unwrapOutboundIn(data) { write(bytes) }
    }

    private func write(_ bytes: ByteBuffer) {
        written += bytes.readableBytes
        output?.write(bytes)
    }

    /// Together with what else is written in this turn of the event loop.
    func flush(context: ChannelHandlerContext) {
        output?.flushWhatTLSKeeps()
        output?.flushSoon()
    }

    func announceGoAway() {
        write(ByteBuffer(bytes: Self.announcement))
        output?.flushSoon()
    }

    /// Those of the bytes up to a place that wait in this process, or have not arrived at the caller's machine.
    ///
    /// - Parameters:
    ///   - place: how many bytes were written with them.
    ///   - missing: bytes at the end of all that do so.
    func part(upTo place: Int, of missing: Int) -> Int { max(0, min(missing, place - (written - missing))) }
}
