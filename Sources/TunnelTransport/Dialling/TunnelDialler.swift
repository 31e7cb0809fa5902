import Glibc
package import HTTPMessage
package import NIOCore
import NIOPosix
package import NameResolution
package import TransportSecurity
package import TunnelProtocol

/// Dials a tunnel server: TCP, through a proxy if there is one, TLS if asked for, the WebSocket handshake.
package struct TunnelDialler: Sendable {
    /// Where to dial and what to say.
    package struct Target: Sendable {
        package var host: String
        package var port: Int
        /// Path of the handshake, `/_tunnel` included.
        package var path: String
        /// Fields that announce the tunnel: `Origin`, `Authorization`, …
        package var fields: HeaderFields
        /// TLS to the server, or nil for ws://.
        package var tls: ClientTLS?
        /// The proxy to go through, or nil.
        package var proxy: HTTPProxy?
        /// Local ports to dial from, or nil for any.
        package var clientPorts: ClientPorts?
        /// Whether to offer protocol v2; else the session is one of v1, whatever the server knows.
        package var offersMux: Bool

        package init(
            host: String, port: Int, path: String, fields: HeaderFields, tls: ClientTLS?,
            proxy: HTTPProxy? = nil, clientPorts: ClientPorts? = nil,
            offersMux: Bool = true
        ) {
            self.host = host
            self.port = port
            self.path = path
            self.fields = fields
            self.tls = tls
            self.proxy = proxy
            self.clientPorts = clientPorts
            self.offersMux = offersMux
        }
    }

    private let target: Target
    private let patience: TimeAmount
    private let names: NameResolver

    /// - Parameters:
    ///   - patience: how long each may take: the connection, the proxy's answer, the handshake.
    ///   - names: who looks up the name of the server, or of the proxy.
    package init(
        _ target: Target, patience: TimeAmount = .seconds(10), names: NameResolver = .configured
    ) {
        self.target = target
        self.names = names
        self.patience = patience
    }

    /// Opens one session.
    ///
    /// - Parameter makeSession: makes the session on the channel's event loop once the handshake is done.
    /// - Throws: `DialError`; `CancellationError` when the task was cancelled before the session was open.
    package func dial(
        on eventLoop: any EventLoop, makeSession: @escaping @Sendable (ProtocolVersion) -> any Session
    ) async throws -> any Channel {
        let isOpen = eventLoop.makePromise(of: Void.self)
        let lookUp = names.lookUp(
            target.proxy?.host ?? target.host, port: target.proxy?.port ?? target.port, on: eventLoop)
        isOpen.futureResult.whenFailure { _ in
            lookUp.cancelQueries()
            lookUp.provedWrong()
        }
        // The socket is opened where it is looked after: else there are as many as the loop has not got to yet.
        let connecting = eventLoop.flatSubmit {
            DescriptorRoom.isThere
                ? connect(on: eventLoop, by: lookUp, isOpen, makeSession)
                : eventLoop.makeFailedFuture(IOError(errnoCode: EMFILE, reason: "socket"))
        }
        connecting.whenFailure { isOpen.fail(dialError($0)) }
        // Not before it is known that no session came of it: one that is open is its owner's.
        isOpen.futureResult.whenFailure { _ in connecting.whenSuccess { $0.close(promise: nil) } }
        return try await withTaskCancellationHandler {
            try await isOpen.futureResult.get()
            return try await connecting.get()
        } onCancel: {
            isOpen.fail(CancellationError())
        }
    }

    /// Connects to the server, or to the proxy.
    private func connect(
        on eventLoop: any EventLoop, by lookUp: NameLookUp, _ isOpen: EventLoopPromise<Void>,
        _ makeSession: @escaping @Sendable (ProtocolVersion) -> any Session
    ) -> EventLoopFuture<any Channel> {
        let (target, patience) = (self.target, self.patience)
        let makeBootstrap: ClientPortConnector.MakeBootstrap = { timeout in
            ClientBootstrap(group: eventLoop)
                .connectTimeout(timeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try Self.addHandlers(
                            to: channel.pipeline.syncOperations, target, patience, isOpen, makeSession)
                    }
                }
        }
        let host = target.proxy?.host ?? target.host
        let port = target.proxy?.port ?? target.port
        guard let clientPorts = target.clientPorts else {
            if let literal = try? SocketAddress(ipAddress: host, port: port) {
                return makeBootstrap(patience).connect(to: literal)
            }
            return makeBootstrap(patience).resolver(lookUp).connect(host: host, port: port)
        }
        return ClientPortConnector.connect(
            to: lookUp, from: clientPorts, patience: patience, on: eventLoop, makeBootstrap)
    }

    private static func addHandlers(
        to pipeline: ChannelPipeline.SynchronousOperations, _ target: Target, _ patience: TimeAmount,
        _ isOpen: EventLoopPromise<Void>, _ makeSession: @escaping @Sendable (ProtocolVersion) -> any Session
    ) throws {
        if let proxy = target.proxy {
            try pipeline.addHandler(
                ProxyHandler(
                    proxy, destination: hostAndPort(target.host, target.port), patience: patience,
                    isOpen: isOpen))
        }
        if let tls = target.tls {
            try tls.addHandlers(to: pipeline, host: target.host, patience: patience)
        }
        try pipeline.addHandler(
            DialHandler(target: target, patience: patience, isOpen: isOpen, makeSession: makeSession))
    }

    private func dialError(_ error: any Error) -> DialError {
        if let error = error as? DialError { return error }
        let words = ConnectionFailure.describe(error)
        guard let proxy = target.proxy else { return DialError(.unreachable, words) }
        return DialError(.proxyUnreachable, "cannot reach the proxy \(proxy.name): \(words)")
    }
}
