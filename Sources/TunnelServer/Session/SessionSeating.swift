import Glibc
import NIOCore
import NIOPosix
import Routing
import TunnelTransport

/// Moves a fresh session to the event loop where its token has the fewest: callers are served by a session on
/// their own loop where there is one, and a hop between loops costs half a request.
///
/// The kernel hands connections to loops without knowing who comes. A connection's socket can change its loop
/// while nothing is under way on it: it is duplicated, and the old channel closed.
enum SessionSeating {
    /// The loop to sit on.
    ///
    /// - Parameter counts: sessions of the token on each loop.
    static func choose(counts: [Int], current: Int) -> Int {
        guard let fewest = counts.min(), counts.indices.contains(current) else { return current }
        return counts[current] == fewest ? current : counts.firstIndex(of: fewest) ?? current
    }

    /// Hands a connection to a fresh channel, on another loop or its own.
    ///
    /// - Parameters:
    ///   - preface: bytes to send first.
    ///   - leftover: bytes that came already and belong to the session.
    /// - Returns: false when the channel's socket cannot be had, or bytes wait to be sent; then nothing has happened.
    static func move(
        _ context: ChannelHandlerContext, to eventLoop: any EventLoop, preface: ByteBuffer,
        leftover: ByteBuffer,
        makeSession: @escaping @Sendable (any EventLoop) -> any Session
    ) -> Bool {
        context.flush()
        // What was answered before the handshake has to go first.
        guard (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) == 0 else { return false }
        let duplicate = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { fcntl($0, F_DUPFD_CLOEXEC, 0) }
        guard let descriptor = duplicate, descriptor >= 0 else { return false }
        context.close(promise: nil)
        ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        PrefaceHandler(preface: preface, leftover: leftover),
                        WebSocketCarrier(makeSession(channel.eventLoop)))
                }
            }
            // A failure closes the descriptor: closing it here again could hit another connection's.
            .withConnectedSocket(descriptor)
            .whenFailure { _ in }
        return true
    }
}

/// Which clients were asked to dial again, as their connection speaks TLS and cannot change its loop.
///
/// Two sessions on one of two loops cost a third more CPU and a quarter of the requests per second than one on each; a new
/// dial comes to the next loop, and costs one handshake.
struct Redials {
    /// How often one connection of a client is asked in a row: others may always take the loop that is wanted.
    private static let most = 3
    /// Clients that are remembered.
    private static let mostClients = 4096

    private var counts: [ClientIdentity: Int] = [:]

    /// - Returns: whether it is asked.
    mutating func asks(_ client: ClientIdentity, isWellSeated: Bool) -> Bool {
        let count = counts[client, default: 0]
        guard !isWellSeated, count < Self.most else {
            counts[client] = nil
            return false
        }
        if counts.count >= Self.mostClients { counts = [:] }
        counts[client] = count + 1
        return true
    }
}

/// Sends the answer to the handshake and replays what came behind it, then gives way.
private final class PrefaceHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let preface: ByteBuffer
    private let leftover: ByteBuffer

    init(preface: ByteBuffer, leftover: ByteBuffer) {
        self.preface = preface
        self.leftover = leftover
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(preface), promise: nil)
        context.fireChannelActive()
        if leftover.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(leftover))
            context.fireChannelReadComplete()
        }
        context.flush()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}
