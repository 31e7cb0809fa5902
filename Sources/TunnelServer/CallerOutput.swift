import Glibc
import HTTPMessage
import NIOCore
import Observability

/// The way back to a caller: writes, flushes, and the ways to close. Bound to the connection's event loop.
final class CallerOutput {
    private var context: ChannelHandlerContext?
    private var isFlushScheduled = false

    init(_ context: ChannelHandlerContext) { self.context = context }

    /// The connection is over, or another handler's.
    func letGo() { context = nil }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func write(_ bytes: ByteBuffer) {
        context?.write(NIOAny(bytes), promise: nil)
    }

    func flushNow() { context?.flush() }

    /// What was written goes out, together with what else is written in this turn of the event loop.
    func flushSoon() {
        guard !isFlushScheduled, let context else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.context?.flush()
        }
    }

    /// Writes an answer of our own.
    func answer(_ refusal: Refusal, closing: Bool, method: String, record: RequestRecord?) {
        let (head, body) = refusal.response(closing: closing)
        var bytes = ByteBuffer()
        bytes.writeResponseHead(head)
        if method != "HEAD" { bytes.writeString(body) }
        write(bytes)
        flushNow()
        if var record {
            record.responded(refusal.status)
            record.responseBytes = body.utf8.count
            record.finish(.answeredHere)
        }
    }

    func close() { context?.close(promise: nil) }

    /// Closes when everything written has left: NIO drops unsent bytes when the second direction closes.
    func closeOnceSent(_ mode: CloseMode) {
        guard let context else { return }
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(NIOAny(ByteBuffer()), promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            self.context?.close(mode: mode, promise: nil)
        }
    }

    /// Closes our direction; tells when everything written has left.
    func closeOutput(_ hasLeft: @escaping () -> Void) {
        guard let context else { return }
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.close(mode: .output, promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in hasLeft() }
    }

    /// Resets the connection: with a body that is told by its end, an orderly close would make it look whole.
    func reset() {
        let reset = Glibc.linger(l_onoff: 1, l_linger: 0)
        (context?.channel as? any SocketOptionProvider)?.setSoLinger(reset).whenFailure { _ in }
        close()
    }

    /// From now on each direction closes on its own.
    func allowHalfClosure() {
        try? context?.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
    }
}
