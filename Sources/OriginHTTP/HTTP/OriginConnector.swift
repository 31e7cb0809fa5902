import Glibc
import NIOCore
import NIOPosix
import NameResolution
import ProxyProtocol
import TransportSecurity

/// Makes connections from one event loop to one HTTP server.
struct OriginConnector {
    let address: OriginAddress
    let tls: ClientTLS?
    var versions: HTTPVersions
    var header: Header?
    let options: HTTPOriginOptions
    let names: NameResolver
    let eventLoop: any EventLoop

    /// The PROXY header with which connections begin.
    struct Header {
        let version: ProxyHeader.Version
        /// Who they are for; nil: us.
        var caller: ProxyEndpoint?
    }

    /// Bytes under way to the origin before the sender is told to stop, and until it may go on.
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 << 10, high: 256 << 10)

    /// Starts connecting with the next turn of the loop.
    ///
    /// - Parameter completion: called once, with a usable connection or the reason why there is none.
    func connect(
        completion: @escaping (Result<any PooledConnection, OriginError>) -> Void
    ) -> ConnectAttempt {
        let attempt = ConnectAttempt(address: address, completion: completion)
        eventLoop.assumeIsolated().execute { prepare(attempt) }
        return attempt
    }

    private func prepare(_ attempt: ConnectAttempt) {
        guard let tls else { return dial(attempt) }
        tls.prepare(for: address.host, offering: versions.offer, on: eventLoop).assumeIsolated().whenComplete
        { result in
            switch result {
            case .success: dial(attempt)
            case .failure(let error): attempt.failed(error)
            }
        }
    }

    private func dial(_ attempt: ConnectAttempt) {
        guard !attempt.isAbandoned else { return attempt.failed(ChannelError.ioOnClosedChannel) }
        guard DescriptorRoom.isThere else {
            return attempt.failed(IOError(errnoCode: EMFILE, reason: "socket"))
        }
        guard let bootstrap = ClientBootstrap(validatingGroup: eventLoop) else {
            return attempt.failed(ChannelError.operationUnsupported)
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let configured =
            bootstrap
            .connectTimeout(TimeAmount(options.connectTimeout))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.writeBufferWaterMark, value: Self.waterMark)
            // A pause takes hold after the read under way: of several in a row each would have to be kept.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try bound.value.addHandlers(to: channel) }
            }
        let connected =
            if let path = address.socketPath {
                configured.connect(unixDomainSocketPath: path)
            } else if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
                configured.connect(to: literal)
            } else {
                configured.resolver(attempt.lookUp(in: names, on: eventLoop))
                    .connect(host: address.host, port: address.port)
            }
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel):
                attempt.connected(channel, isSecure: tls != nil) { negotiated in
                    try bound.value.addConnection(to: channel, negotiated: negotiated)
                }
            case .failure(let error): attempt.failed(error)
            }
        }
    }

    /// Over TLS the version of HTTP is known when the handshake is over.
    private func addHandlers(to channel: any Channel) throws {
        if let header {
            try channel.pipeline.syncOperations.addHandler(
                CallerHeaderSender(header.version, for: header.caller))
        }
        guard let tls else { return _ = try addConnection(to: channel, isHTTP2: versions == .http2) }
        try tls.addHandlers(
            to: channel.pipeline.syncOperations, host: address.host,
            patience: TimeAmount(options.connectTimeout), offering: versions.offer)
    }

    private func addConnection(
        to channel: any Channel, negotiated: String?
    ) throws -> any PooledConnection {
        let isHTTP2 = negotiated == ProtocolOffer.http2Name
        guard isHTTP2 || versions != .http2 else {
            throw OriginError(
                .tlsFailed,
                "\(address.place) does not offer HTTP/2 over TLS (ALPN), which \"http: 2\" insists on")
        }
        return try addConnection(to: channel, isHTTP2: isHTTP2)
    }

    private func addConnection(to channel: any Channel, isHTTP2: Bool) throws -> any PooledConnection {
        let pipeline = channel.pipeline.syncOperations
        if isHTTP2 {
            return try HTTP2OriginConnection.add(
                to: pipeline, address: address, options: options, on: eventLoop)
        }
        let connection = OriginConnection(to: address, on: eventLoop)
        try pipeline.addHandler(connection)
        return connection
    }
}

/// One attempt to connect, TLS included.
final class ConnectAttempt {
    private let address: OriginAddress
    private var completion: ((Result<any PooledConnection, OriginError>) -> Void)?
    private var lookUp: NameLookUp?
    private var channel: (any Channel)?
    /// Whether the request for which it was made was withdrawn.
    private(set) var isAbandoned = false

    init(
        address: OriginAddress, completion: @escaping (Result<any PooledConnection, OriginError>) -> Void
    ) {
        self.address = address
        self.completion = completion
    }

    /// Nobody waits for the connection any more; the attempt ends as soon as the system lets it.
    func abandon() {
        isAbandoned = true
        lookUp?.cancelQueries()
        channel?.close(promise: nil)
    }

    /// Has the origin's name looked up.
    func lookUp(in names: NameResolver, on eventLoop: any EventLoop) -> NameLookUp {
        let lookUp = names.lookUp(address.host, port: address.port, on: eventLoop)
        self.lookUp = lookUp
        return lookUp
    }

    /// - Parameter secured: adds the connection to a channel on which TLS is spoken now; told what the server chose by ALPN.
    func connected(
        _ channel: any Channel, isSecure: Bool,
        secured: @escaping (_ negotiated: String?) throws -> any PooledConnection
    ) {
        self.channel = channel
        do {
            let pipeline = channel.pipeline.syncOperations
            guard isSecure else { return settle(try Self.connection(in: pipeline)) }
            let gate = try pipeline.handler(type: TLSGate.self)
            gate.whenDone { result in
                do {
                    try result.get()
                    self.settle(try secured(gate.negotiatedProtocol))
                } catch {
                    self.failed(error)
                }
            }
            if isAbandoned { channel.close(promise: nil) }
        } catch {
            failed(error)
        }
    }

    private static func connection(
        in pipeline: ChannelPipeline.SynchronousOperations
    ) throws -> any PooledConnection {
        if let connection = try? pipeline.handler(type: OriginConnection.self) { return connection }
        return try pipeline.handler(type: HTTP2OriginConnection.self)
    }

    func failed(_ error: any Error) {
        lookUp?.provedWrong()
        channel?.close(promise: nil)
        end(.failure(OriginError(connecting: error, to: address)))
    }

    private func settle(_ connection: any PooledConnection) {
        connection.whenReady { result in
            switch result {
            case .success: self.end(.success(connection))
            case .failure(let error): self.failed(error)
            }
        }
        if isAbandoned { channel?.close(promise: nil) }
    }

    private func end(_ result: Result<any PooledConnection, OriginError>) {
        let completion = completion
        self.completion = nil
        completion?(result)
    }
}
