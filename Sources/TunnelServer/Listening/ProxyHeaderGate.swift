import HTTPServing
import NIOCore
import ProxyProtocol
import Synchronization
import TunnelConfiguration

/// Whom a connection is for, and who may turn out to have made it.
protocol ProxiedReception: AnyObject {
    /// The connection is a proxy's, which says whose it is. Called before anything of it is known.
    func isCalled(from source: ProxyEndpoint)
}

/// The first to see what comes on a connection that begins with a PROXY header, or may: learns from it whose the connection
/// is, and gives way. Until then nobody behind it knows that there is a connection: neither TLS nor HTTP has begun.
final class ProxyHeaderGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private enum State {
        /// Not connected yet. Next: waiting, open, shut.
        case new
        /// For the rest of the header. Next: open, shut.
        case waiting(ByteBuffer)
        /// Gives way.
        case open
        /// Refused, or gone. What still comes is dropped.
        case shut
    }

    private let core: ServerCore
    private let reception: any ProxiedReception
    private let demand: ServerConfiguration.ProxyHeaderDemand
    private let trusted: [AddressRange]
    private var state = State.new
    private var timer: Scheduled<Void>?

    init(
        core: ServerCore, reception: any ProxiedReception, demand: ServerConfiguration.ProxyHeaderDemand,
        trusted: [AddressRange]
    ) {
        self.core = core
        self.reception = reception
        self.demand = demand
        self.trusted = trusted
    }

    func channelActive(context: ChannelHandlerContext) {
        let peer = context.remoteAddress?.ipAddress ?? "unknown"
        guard trusted.contains(where: { $0.contains(peer) }) else {
            guard demand == .required else { return open(context, leaving: ByteBuffer()) }
            return refuse(context, .notTrustedProxy)
        }
        guard core.headersAwaited.add(1, ordering: .relaxed).newValue <= core.limits.callers else {
            core.headersAwaited.subtract(1, ordering: .relaxed)
            return refuse(context, .tooManyCallers)
        }
        state = .waiting(ByteBuffer())
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: core.limits.connection.headTimeout) {
            self.shut(context)
        }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .waiting(var bytes):
            bytes.writeImmutableBuffer(unwrapInboundIn(data))
            state = .waiting(bytes)
            look(at: bytes, context)
        case .open: context.fireChannelRead(data)
        case .new, .shut: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        switch state {
        // Those behind may not want to read yet.
        case .waiting: context.read()
        case .open: context.fireChannelReadComplete()
        case .new, .shut: break
        }
    }

    private func look(at bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        do throws(ProxyHeaderError) {
            switch try ProxyHeader.read(bytes) {
            case .incomplete: break
            case .absent where demand == .required: refuse(context, .noProxyHeader)
            case .absent: open(context, leaving: bytes)
            case .whole(let header, let length):
                if let source = header.ends?.source { reception.isCalled(from: source) }
                var rest = bytes
                rest.moveReaderIndex(forwardBy: length)
                open(context, leaving: rest)
            }
        } catch {
            refuse(context, .badProxyHeader(error))
        }
    }

    private func open(_ context: ChannelHandlerContext, leaving rest: ByteBuffer) {
        leave(.open)
        context.fireChannelActive()
        if rest.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(rest))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ refusal: Refusal) {
        core.incidents.connectionRefused(refusal.code)
        core.tell("Connection refused", refusal, from: context.remoteAddress?.ipAddress ?? "unknown")
        shut(context)
    }

    private func shut(_ context: ChannelHandlerContext) {
        leave(.shut)
        context.close(promise: nil)
    }

    private func leave(_ next: State) {
        timer?.cancel()
        timer = nil
        if case .waiting = state { core.headersAwaited.subtract(1, ordering: .relaxed) }
        state = next
    }

    // MARK: Ends before there was a caller, of which nobody behind hears

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .open = state { return context.fireUserInboundEventTriggered(event) }
        if case .inputClosed? = event as? ChannelEvent { shut(context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .open = state { return context.fireErrorCaught(error) }
        shut(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .open = state { return context.fireChannelInactive() }
        leave(.shut)
    }
}
