import Glibc
import NIOCore
import NIOPosix
import TunnelProtocol
import TunnelTransport

/// How a connection to a service behind a tunnel ended.
package enum PipeEnd: Sendable, Equatable {
    /// Both directions in order.
    case inOrder
    /// Before its time: why, in words.
    case brokeOff(String)
    /// It did not come about.
    case notReached(String)
}

/// Pumps bytes between two descriptors and a raw stream in the messages of a WebSocket. Each direction ends by itself, and
/// reads no faster than the other side takes. Last in its channel, and bound to its event loop.
final class StandardPipe: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// One that waits for the input, and one for the output; the process ends under them.
    private static let threads: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
        return pool
    }()

    /// Bytes that are read at once.
    private static let piece = 64 << 10
    /// What came and was not written, from which on no more is read, in bytes.
    private static let mostUnwritten = 256 << 10
    /// Something goes out so often, as proxies cut what is silent.
    private static let pingInterval = TimeAmount.seconds(25)

    private let input: CInt
    private let output: CInt
    private let eventLoop: any EventLoop
    private let ended: EventLoopPromise<PipeEnd>
    /// Known before everything that came is written.
    private var outcome: PipeEnd?
    private var reader = RawMessageReader(expectsMask: false)
    private var writer = RawMessageWriter(isClient: true)
    private var context: ChannelHandlerContext?
    private var pings: Scheduled<Void>?
    /// What came and was not read.
    private var received = ByteBuffer()
    /// What was read and is to be written.
    private var unwritten = ByteBuffer()
    private var isWriting = false
    private var isOutputClosed = false
    private var hasPeerEnded = false
    private var isReading = false
    private var hasInputEnded = false
    private var isReadHeld = false

    /// - Parameters:
    ///   - input: read until its end.
    ///   - output: written, and closed at the end of what comes.
    ///   - ended: told once, on the event loop of the channel.
    init(input: CInt, output: CInt, on eventLoop: any EventLoop, ended: EventLoopPromise<PipeEnd>) {
        self.eventLoop = eventLoop
        self.input = input
        self.output = output
        self.ended = ended
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        pingLater()
        takeInput()
    }

    private func pingLater() {
        pings = eventLoop.assumeIsolated().scheduleTask(in: Self.pingInterval) {
            self.write(self.writer.ping())
            self.pingLater()
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    private func write(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

    // MARK: From the input to the server

    private func takeInput() {
        guard let context, !isReading, !hasInputEnded, context.channel.isWritable else { return }
        isReading = true
        let input = input
        Self.threads.runIfActive(eventLoop: eventLoop) { Self.read(input) }
            .assumeIsolated().whenComplete { result in
                self.isReading = false
                guard let bytes = (try? result.get()) ?? nil, bytes.readableBytes > 0 else {
                    self.hasInputEnded = true
                    self.write(self.writer.end())
                    return self.finishIfDone()
                }
                self.write(self.writer.message(bytes))
                self.takeInput()
            }
    }

    /// - Returns: nothing at the end.
    private static func read(_ descriptor: CInt) -> ByteBuffer? {
        var bytes = ByteBuffer()
        let count = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: piece) { memory in
            var count = -1
            repeat {
                count = Glibc.read(descriptor, memory.baseAddress, piece)
            } while count < 0 && isToWait(descriptor, POLLIN)
            return max(count, 0)
        }
        return count > 0 ? bytes : nil
    }

    /// Whether to try again: interrupted, or one that does not block, which was waited for.
    private static func isToWait(_ descriptor: CInt, _ events: CInt) -> Bool {
        guard errno == EAGAIN else { return errno == EINTR }
        var poll = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return Glibc.poll(&poll, 1, -1) >= 0 || errno == EINTR
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        takeInput()
        context.fireChannelWritabilityChanged()
    }

    // MARK: From the server to the output

    func read(context: ChannelHandlerContext) {
        if unwritten.readableBytes > Self.mostUnwritten { isReadHeld = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if received.readableBytes == 0 { received = bytes } else { received.writeBuffer(&bytes) }
        do throws(WebSocketError) {
            while let event = try reader.next(&received) {
                switch event {
                case .bytes(let bytes): unwritten.writeImmutableBuffer(bytes)
                case .end: hasPeerEnded = true
                case .ping(let payload): if context.channel.isWritable { write(writer.pong(payload)) }
                case .close(let code): closed(code)
                }
            }
        } catch {
            end(.brokeOff("what the server sends is no WebSocket's"))
        }
        received.discardReadBytes()
        giveOutput()
    }

    private func giveOutput() {
        guard !isWriting else { return }
        guard unwritten.readableBytes > 0 else {
            if hasPeerEnded, !isOutputClosed { closeOutput() }
            return finishIfDone()
        }
        isWriting = true
        let (bytes, output) = (unwritten, output)
        unwritten = ByteBuffer()
        Self.threads.runIfActive(eventLoop: eventLoop) { Self.write(bytes, to: output) }
            .assumeIsolated().whenComplete { result in
                self.isWriting = false
                guard (try? result.get()) == true else {
                    self.unwritten = ByteBuffer()
                    return self.end(.brokeOff("standard output takes no more"))
                }
                if self.isReadHeld {
                    self.isReadHeld = false
                    self.context?.read()
                }
                self.giveOutput()
            }
    }

    private static func write(_ bytes: ByteBuffer, to descriptor: CInt) -> Bool {
        bytes.withUnsafeReadableBytes { memory in
            var written = 0
            while written < memory.count {
                let rest = UnsafeRawBufferPointer(rebasing: memory[written...])
                let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count > 0 { written += count } else if !isToWait(descriptor, POLLOUT) { return false }
            }
            return true
        }
    }

    /// Its number stays taken: what is opened next must not get it.
    private func closeOutput() {
        isOutputClosed = true
        let nothing = open("/dev/null", O_WRONLY | O_CLOEXEC)
        if nothing >= 0 {
            dup2(nothing, output)
            Glibc.close(nothing)
        }
    }

    // MARK: The end

    /// The server has both directions, or gives up.
    private func closed(_ code: UInt16) {
        guard code == WebSocketCloseCode.normal.rawValue, hasPeerEnded, hasInputEnded else {
            return end(.brokeOff("the tunnel or the service broke it off"))
        }
    }

    private func finishIfDone() {
        if outcome == nil, hasInputEnded, isOutputClosed {
            write(writer.close(.normal))
            end(.inOrder)
        } else if let outcome, !isWriting, unwritten.readableBytes == 0 {
            ended.succeed(outcome)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !(hasInputEnded && hasPeerEnded) {
            end(.brokeOff("the connection to the tunnel server broke"))
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.brokeOff("the connection to the tunnel server broke: \(ConnectionFailure.describe(error))"))
    }

    /// What came is written still.
    private func end(_ end: PipeEnd) {
        guard outcome == nil else { return }
        outcome = end
        pings?.cancel()
        pings = nil
        context?.close(promise: nil)
        giveOutput()
    }
}
