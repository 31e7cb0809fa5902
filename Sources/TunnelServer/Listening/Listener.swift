import Glibc
import HTTPServing
import HostSystem
import NIOCore
import NIOPosix
import Synchronization
import TransportSecurity
import TunnelTransport

/// Takes connections from one listening socket and makes them callers, until it leaves.
final class Listener: ConnectionAcceptor {
    let socket: ListeningSocket
    /// Tells the connections of one listener from those of another.
    let id: Int
    private let channel: any Channel
    private let core: ServerCore
    private let fault: FaultRecorder
    private let isAskedToClose = Atomic<Bool>(false)

    /// Begins to take connections.
    ///
    /// - Throws: what the system says.
    static func open(_ socket: ListeningSocket, id: Int, core: ServerCore, group: any EventLoopGroup)
        async throws -> Listener
    {
        let fault = FaultRecorder()
        let descriptor = try socket.duplicate()
        let reserve = DescriptorReserve.ofProcess
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.autoRead, value: false)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        AcceptGate(reserve, core.shortage), ListenerFaultHandler(fault))
                }
            }
            .childChannelInitializer { Self.setUp($0, core: core, listener: id) }
            // A failure closes the descriptor.
            .withBoundSocket(descriptor).get()
        let listener = Listener(socket, id: id, channel: channel, core: core, fault: fault)
        // NIO takes a socket for its own: when it is ready, a connection must be there.
        let previous = socket.enter(listener)
        await previous?.pause()
        do {
            try socket.listen()
            try await listener.take(true)
        } catch {
            _ = socket.leave(listener)
            try? await channel.close()
            await previous?.resume()
            throw error
        }
        return listener
    }

    func pause() async {
        try? await take(false)
        // A connection that is on its way to its event loop and back is closed with the listener.
        await core.passLoops()
        try? await channel.eventLoop.submit {}.get()
    }

    private init(
        _ socket: ListeningSocket, id: Int, channel: any Channel, core: ServerCore, fault: FaultRecorder
    ) {
        self.socket = socket
        self.id = id
        self.channel = channel
        self.core = core
        self.fault = fault
    }

    func resume() async { try? await take(true) }

    /// Begins or ceases to take connections.
    private func take(_ isWanted: Bool) async throws {
        let channel = channel
        try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.handler(type: AcceptGate.self).setWanted(isWanted)
        }.get()
    }

    /// Tells when it closes although nobody asked.
    func whenItFails(_ action: @escaping @Sendable (String) -> Void) {
        channel.closeFuture.whenComplete { [fault, weak self] _ in
            guard let self,
                !self.isAskedToClose.exchange(true, ordering: .acquiringAndReleasing)
            else { return }
            _ = self.socket.leave(self)
            action(fault.text ?? "the system closed it")
        }
    }

    /// Takes no more connections, and loses none that is in the kernel's queue: those that the queue holds are taken
    /// first, unless another server or process takes them.
    ///
    /// - Parameters:
    ///   - isKept: whether the socket goes to another server.
    ///   - patience: for handshakes that the kernel has under way.
    func leave(isKept: Bool, patience: Duration) async {
        guard !isAskedToClose.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let isLast = socket.leave(self) && !isKept && !socket.isInherited
        if isLast {
            socket.retire()
            // Cut short when nobody wants to wait any more.
            if patience > .zero { try? await Task.sleep(for: patience) }
        }
        await pause()
        if isLast {
            while let descriptor = socket.accept() { adopt(descriptor) }
        }
        try? await channel.close()
        if isLast { socket.close() }
        await core.passLoops()
    }

    /// Closes at once.
    func close() {
        guard !isAskedToClose.exchange(true, ordering: .acquiringAndReleasing) else { return }
        _ = socket.leave(self)
        channel.close(promise: nil)
    }

    private func adopt(_ descriptor: CInt) {
        let (core, id) = (core, id)
        ClientBootstrap(group: core.nextLoop())
            .channelInitializer { Self.setUp($0, core: core, listener: id) }
            // A failure closes the descriptor.
            .withConnectedSocket(descriptor)
            .whenFailure { _ in }
    }

    private static func setUp(_ channel: any Channel, core: ServerCore, listener: Int) -> EventLoopFuture<
        Void
    > {
        channel.eventLoop.makeCompletedFuture {
            if let options = channel.syncOptions {
                try options.setOption(.tcpOption(.tcp_nodelay), value: 1)
                try options.setOption(UnsentBytes.option, value: UnsentBytes.most)
                try options.setOption(.socketOption(.so_keepalive), value: 1)
                try options.setOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPIDLE)), value: 60)
                try options.setOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)), value: 15)
                try options.setOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)), value: 4)
                try CallerHandler.prepare(options)
            }
            let pipeline = channel.pipeline.syncOperations
            let settings = core.settings
            if let port = settings.tcp {
                let reception = PortReception(core: core, listener: listener, settings: settings, port: port)
                try addGate(for: reception, to: pipeline, core, settings)
                return try pipeline.addHandler(reception.makeHandler(on: channel.eventLoop))
            }
            let tls = settings.tls
            let reception = CallerReception(
                core: core, on: channel.eventLoop, listener: listener, tls: tls)
            try addGate(for: reception, to: pipeline, core, settings)
            if let tls {
                try SecureEntrance.add(
                    tls, to: pipeline, reception: reception,
                    date: core.dates[core.index(of: channel.eventLoop)].value)
            }
            try pipeline.addHandler(reception.makeHandler(on: channel.eventLoop))
        }
    }

    /// Where proxies say whose a connection is, they do so before anything else.
    private static func addGate(
        for reception: any ProxiedReception, to pipeline: ChannelPipeline.SynchronousOperations,
        _ core: ServerCore, _ settings: ServerSettings
    ) throws {
        guard let demand = settings.proxyHeader else { return }
        try pipeline.addHandler(
            ProxyHeaderGate(core: core, reception: reception, demand: demand, trusted: settings.proxies))
    }
}

/// Why a listener's channel closed, as far as it said.
private final class FaultRecorder: Sendable {
    private let latest = Mutex<String?>(nil)

    var text: String? { latest.withLock { $0 } }

    func note(_ error: any Error) { latest.withLock { $0 = "\(error)" } }
}

private final class ListenerFaultHandler: ChannelInboundHandler {
    typealias InboundIn = Any

    private let fault: FaultRecorder

    init(_ fault: FaultRecorder) { self.fault = fault }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fault.note(error) }
}
