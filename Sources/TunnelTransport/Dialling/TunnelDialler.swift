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
        /// What the URL's password comes to, for what stands before the server; it is among `fields`, too.
        package var outerAuthorization: String?
        /// Local ports to dial from, or nil for any.
        package var clientPorts: ClientPorts?
        /// Whether to offer protocol v2; else the session is one of v1, whatever the server knows.
        package var offersMux: Bool
        /// By what the session's bytes go.
        package var carrier: TransportChoice.Way
        /// Whether TLS inside another connection is spoken.
        private(set) var isInside = false
        /// TLS inside what carries the session: then nothing is said of the tunnel outside it. Nil for none.
        package var innerTLS: ClientTLS?

        package init(
            host: String, port: Int, path: String, fields: HeaderFields, tls: ClientTLS?,
            proxy: HTTPProxy? = nil, clientPorts: ClientPorts? = nil,
            offersMux: Bool = true, carrier: TransportChoice.Way = .webSocket, innerTLS: ClientTLS? = nil,
            outerAuthorization: String? = nil
        ) {
            self.host = host
            self.port = port
            self.path = path
            self.fields = fields
            self.tls = tls
            self.proxy = proxy
            self.clientPorts = clientPorts
            self.offersMux = offersMux
            self.carrier = carrier
            self.innerTLS = innerTLS
            self.outerAuthorization = outerAuthorization
        }

        /// What is dialled inside TLS that is spoken inside the carrier: the same, by a WebSocket and without anything in
        /// between.
        var inside: Target {
            var target = self
            target.carrier = .webSocket
            target.innerTLS = nil
            target.proxy = nil
            target.isInside = true
            return target
        }

        /// What the first request says of the tunnel.
        var outerFields: HeaderFields {
            guard innerTLS != nil else { return fields }
            var outer = HeaderFields()
            // Another server's: what stands before ours asks for it.
            if let password = outerAuthorization { outer.append(.authorization, password) }
            return outer
        }

        /// What `Host` says.
        var authority: String {
            let isDefaultPort = port == (tls == nil ? 80 : 443)
            let name = host.contains(":") ? "[\(host)]" : host
            return isDefaultPort ? name : hostAndPort(host, port)
        }

        /// The proxy that takes our requests, as it does a browser's; nil where it opens connections for us, or there is none.
        var plainProxy: HTTPProxy? { carrier == .longPoll && tls == nil ? proxy : nil }
    }

    let target: Target
    let patience: TimeAmount
    /// For the answer to the handshake.
    let answerPatience: TimeAmount
    /// Told what answered in place of the server, in a session of requests.
    let tellForeign: @Sendable (String) -> Void
    private let names: NameResolver

    /// - Parameters:
    ///   - patience: how long each may take: the connection, the proxy's answer, the handshake.
    ///   - answerPatience: the last of them, where that is to take less.
    ///   - tellForeign: told what answers in place of the server, whenever that happens in a session of requests.
    ///   - names: who looks up the name of the server, or of the proxy.
    package init(
        _ target: Target, patience: TimeAmount = .seconds(10), answerPatience: TimeAmount? = nil,
        names: NameResolver = .configured, tellForeign: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.tellForeign = tellForeign
        self.target = target
        self.answerPatience = answerPatience ?? patience
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
        guard target.carrier == .webSocket else {
            return try await dialLongPoll(on: eventLoop, makeSession: makeSession)
        }
        let isOpen = eventLoop.makePromise(of: Void.self)
        let (target, patience, innerPatience) = (self.target, self.answerPatience, self.patience)
        let connecting = connect(on: eventLoop, isOpen) { pipeline in
            try pipeline.addHandler(
                DialHandler(
                    target: target, patience: patience, innerPatience: innerPatience, isOpen: isOpen,
                    successor: .session(makeSession)))
        }
        return try await withTaskCancellationHandler {
            try await isOpen.futureResult.get()
            return try await connecting.get()
        } onCancel: {
            isOpen.fail(CancellationError())
        }
    }

    /// Connects to the server, through the proxy where there is one.
    ///
    /// - Parameters:
    ///   - isOpen: fails when no connection comes about; when it does, whoever is last fails or keeps it.
    ///   - addLast: puts behind everything else what speaks with the server.
    func connect(
        on eventLoop: any EventLoop, _ isOpen: EventLoopPromise<Void>, addLast: @escaping AddLast
    ) -> EventLoopFuture<any Channel> {
        let lookUp = names.lookUp(
            target.proxy?.host ?? target.host, port: target.proxy?.port ?? target.port, on: eventLoop)
        isOpen.futureResult.whenFailure { _ in
            lookUp.cancelQueries()
            lookUp.provedWrong()
        }
        // The socket is opened where it is looked after: else there are as many as the loop has not got to yet.
        let connecting = eventLoop.flatSubmit {
            DescriptorRoom.isThere
                ? connect(on: eventLoop, by: lookUp, isOpen, addLast)
                : eventLoop.makeFailedFuture(IOError(errnoCode: EMFILE, reason: "socket"))
        }
        connecting.whenFailure { isOpen.fail(dialError($0)) }
        // Not before it is known that no session came of it: one that is open is its owner's.
        isOpen.futureResult.whenFailure { _ in connecting.whenSuccess { $0.close(promise: nil) } }
        return connecting
    }

    /// Bytes that one read of the answer takes. NIO keeps the first buffer for as long as the connection is there.
    private static let answerSizes = AdaptiveRecvByteBufferAllocator(
        minimum: 64, initial: 512, maximum: 64 << 10)

    typealias AddLast = @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void

    /// Connects to the server, or to the proxy.
    private func connect(
        on eventLoop: any EventLoop, by lookUp: NameLookUp, _ isOpen: EventLoopPromise<Void>,
        _ addLast: @escaping AddLast
    ) -> EventLoopFuture<any Channel> {
        let (target, patience) = (self.target, self.patience)
        let makeBootstrap: ClientPortConnector.MakeBootstrap = { timeout in
            ClientBootstrap(group: eventLoop)
                .connectTimeout(timeout)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.recvAllocator, value: Self.answerSizes)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try Self.addHandlers(
                            to: channel.pipeline.syncOperations, target, patience, isOpen, addLast)
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
        _ isOpen: EventLoopPromise<Void>, _ addLast: AddLast
    ) throws {
        if let proxy = target.proxy, target.plainProxy == nil {
            try pipeline.addHandler(
                ProxyHandler(
                    proxy, destination: hostAndPort(target.host, target.port), patience: patience,
                    isOpen: isOpen))
        }
        if let tls = target.tls {
            try tls.addHandlers(to: pipeline, host: target.host, patience: patience)
        }
        try addLast(pipeline)
    }

    private func dialError(_ error: any Error) -> DialError {
        if let error = error as? DialError { return error }
        let words = ConnectionFailure.describe(error)
        guard let proxy = target.proxy else { return DialError(.unreachable, words) }
        return DialError(.proxyUnreachable, "cannot reach the proxy \(proxy.name): \(words)")
    }
}
