import Glibc
import NIOCore
import NIOPosix
import NameResolution
import TransportSecurity

/// Makes connections from one event loop to one HTTP server.
struct OriginConnector {
    let address: OriginAddress
    let tls: ClientTLS?
    let timeout: Duration
    let names: NameResolver
    let eventLoop: any EventLoop

    /// Bytes under way to the origin before the sender is told to stop, and until it may go on.
    private static let waterMark = ChannelOptions.Types.WriteBufferWaterMark(low: 64 << 10, high: 256 << 10)

    /// Starts connecting with the next turn of the loop.
    ///
    /// - Parameter completion: called once, with a usable connection or the reason why there is none.
    func connect(
        completion: @escaping (Result<OriginConnection, OriginError>) -> Void
    ) -> ConnectAttempt {
        let attempt = ConnectAttempt(address: address, completion: completion)
        eventLoop.assumeIsolated().execute { prepare(attempt) }
        return attempt
    }

    private func prepare(_ attempt: ConnectAttempt) {
        guard let tls else { return dial(attempt) }
        tls.prepare(for: address.host, on: eventLoop).assumeIsolated().whenComplete { result in
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
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.writeBufferWaterMark, value: Self.waterMark)
            // A pause takes hold after the read under way: of several in a row each would have to be kept.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try bound.value.addHandlers(to: channel) }
            }
        let connected =
            if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
                configured.connect(to: literal)
            } else {
                configured.resolver(attempt.lookUp(in: names, on: eventLoop))
                    .connect(host: address.host, port: address.port)
            }
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): attempt.connected(channel, isSecure: tls != nil)
            case .failure(let error): attempt.failed(error)
            }
        }
    }

    private func addHandlers(to channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        if let tls {
            try tls.addHandlers(to: pipeline, host: address.host, patience: TimeAmount(timeout))
        }
        try pipeline.addHandler(OriginConnection(to: address, on: eventLoop))
    }
}

/// One attempt to connect, TLS included.
final class ConnectAttempt {
    private let address: OriginAddress
    private var completion: ((Result<OriginConnection, OriginError>) -> Void)?
    private var lookUp: NameLookUp?
    private var channel: (any Channel)?
    /// Whether the request for which it was made was withdrawn.
    private(set) var isAbandoned = false

    init(
        address: OriginAddress, completion: @escaping (Result<OriginConnection, OriginError>) -> Void
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

    func connected(_ channel: any Channel, isSecure: Bool) {
        self.channel = channel
        do {
            let pipeline = channel.pipeline.syncOperations
            let connection = try pipeline.handler(type: OriginConnection.self)
            guard isSecure else { return succeeded(connection) }
            try pipeline.handler(type: TLSGate.self).whenDone { result in
                switch result {
                case .success: self.succeeded(connection)
                case .failure(let error): self.failed(error)
                }
            }
            if isAbandoned { channel.close(promise: nil) }
        } catch {
            failed(error)
        }
    }

    func failed(_ error: any Error) {
        lookUp?.provedWrong()
        channel?.close(promise: nil)
        end(.failure(OriginError(connecting: error, to: address)))
    }

    private func succeeded(_ connection: OriginConnection) {
        guard connection.isUsable else { return failed(ChannelError.eof) }
        end(.success(connection))
    }

    private func end(_ result: Result<OriginConnection, OriginError>) {
        let completion = completion
        self.completion = nil
        completion?(result)
    }
}
