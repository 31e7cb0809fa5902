import Glibc
import Logging
package import NIOCore
package import NIOPosix
package import Observability
package import TunnelConfiguration
package import TunnelProtocol
import TunnelTransport

/// One tunnel server: a listener for callers and tunnel clients.
package final class TunnelServer: Sendable {
    /// How often tokens that were not seen for long are forgotten.
    private static let forgetInterval: TimeAmount = .seconds(60)

    /// Where it listens, the port that the kernel picked included.
    package let address: SocketAddress
    private let core: ServerCore
    private let listener: any Channel
    private let forgetting: RepeatedTask

    /// Binds the listener; requests are served from then on.
    ///
    /// - Throws: `ListenError` when the address cannot be bound.
    package static func start(
        _ configuration: ServerConfiguration, group: MultiThreadedEventLoopGroup, log: AgentLog,
        budget: any ReceiveBudget, software: String, limits: ListenerLimits = ListenerLimits()
    ) async throws -> TunnelServer {
        let loops = Array(group.makeIterator())
        let core = ServerCore(
            configuration, limits: limits, loops: loops, log: log, budget: budget, software: software)
        let listener: any Channel
        do {
            listener = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.socketOption(.so_keepalive), value: 1)
                .childChannelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPIDLE)), value: 60)
                .childChannelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPINTVL)), value: 15)
                .childChannelOption(.tcpOption(NIOBSDSocket.Option(rawValue: TCP_KEEPCNT)), value: 4)
                .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            CallerHandler(core: core, loopIndex: core.index(of: channel.eventLoop)))
                    }
                }
                .bind(host: configuration.host, port: configuration.port).get()
        } catch {
            throw ListenError(configuration, error)
        }
        guard let address = listener.localAddress else {
            throw ListenError(configuration, ChannelError.operationUnsupported)
        }
        core.logger.info("Listening", metadata: [.listenerAddress: "\(Self.text(address))"])
        return TunnelServer(core: core, listener: listener, address: address)
    }

    private init(core: ServerCore, listener: any Channel, address: SocketAddress) {
        self.core = core
        self.listener = listener
        self.address = address
        self.forgetting = listener.eventLoop.scheduleRepeatedTask(
            initialDelay: Self.forgetInterval, delay: Self.forgetInterval
        ) { _ in core.registry.forgetOld() }
    }

    /// Takes no new connections and requests, tells tunnel clients to leave, and returns when everything in flight
    /// is finished. Cancel the task to stop waiting, then call `close`.
    package func drain() async {
        core.stopTakingRequests()
        forgetting.cancel()
        try? await listener.close()
        let (callers, sessions) = core.census.everybody
        for caller in callers { caller.eventLoop.execute { caller.handler.value.stop() } }
        for session in sessions { session.perform { $0.drain(reason: "the tunnel server is stopping") } }
        await core.census.becomesEmpty()
        core.names.stop()
    }

    /// Closes every connection at once.
    package func close() {
        let (callers, sessions) = core.census.everybody
        for caller in callers { caller.eventLoop.execute { caller.handler.value.cut() } }
        for session in sessions { session.perform { $0.close() } }
    }

    private static func text(_ address: SocketAddress) -> String {
        hostAndPort(address.ipAddress ?? "?", address.port ?? 0)
    }
}

/// A listener that could not be bound.
package struct ListenError: Error, CustomStringConvertible {
    /// What went wrong and what to do.
    package let description: String

    init(_ configuration: ServerConfiguration, _ error: any Error) {
        let place = "\(configuration.host):\(configuration.port)"
        let code = (error as? IOError)?.errnoCode
        let reason =
            switch code {
            case EADDRINUSE:
                "the address is in use — is another wstunnel running? Stop it or choose another port"
            case EACCES: "not permitted — ports below 1024 need root or CAP_NET_BIND_SERVICE"
            case EADDRNOTAVAIL: "this machine has no such address — check host"
            case nil where error is SocketAddressError.UnknownHost:
                "the host name cannot be resolved — write an address of this machine, or 0.0.0.0 for all"
            default: ConnectionFailure.describe(error)
            }
        description = "servers[\(configuration.name)]: cannot listen on \(place): \(reason)"
    }
}
