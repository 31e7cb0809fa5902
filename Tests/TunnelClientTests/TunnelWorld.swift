import HostSystem
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Observability
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol
import TunnelServer
import TunnelTransport

@testable import TunnelClient

/// A tunnel server and its tunnel clients in this process, on event loops of their own.
final class TunnelWorld: Sendable {
    static let token = "a-token-of-the-tests"

    let group: MultiThreadedEventLoopGroup
    let server: TunnelServer
    private let log: AgentLog
    private let folder: TemporaryFolder
    private let budget = ProcessReceiveBudget()

    /// Runs the body with a fresh world, and takes it down.
    static func run(
        maxClients: Int? = nil, loops: Int = 2, _ body: (TunnelWorld) async throws -> Void
    ) async throws {
        let world = try await TunnelWorld(maxClients: maxClients, loops: loops)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(world))
        } catch {
            result = .failure(error)
        }
        world.server.close()
        await world.server.drain()
        try await world.group.shutdownGracefully()
        world.log.sink.close()
        try result.get()
    }

    private init(maxClients: Int?, loops: Int) async throws {
        folder = try TemporaryFolder()
        log = AgentLog(sink: try LogSink(path: folder.path(of: "log"), format: .logfmt), level: .error)
        group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        var configuration = ServerConfiguration(name: "test", host: "127.0.0.1", port: 0)
        configuration.limits.clientsPerToken = maxClients
        server = TunnelServer(configuration, group: group, log: log, budget: budget, software: "test")
        let socket = try ListeningSocket.reserve(for: "servers[test]", host: "127.0.0.1", port: 0)
        try socket.listen()
        try await server.listen(on: socket)
    }

    var port: Int { server.address?.port ?? 0 }

    /// A tunnel to the world's server, unless to another port, from an origin on a port.
    func configuration(
        to port: Int? = nil, isSecure: Bool = false, origin: Int? = nil
    ) throws -> TunnelClientConfiguration {
        TunnelClientConfiguration(
            name: "web",
            tunnel: TunnelURL(
                isSecure: isSecure, host: isSecure ? "localhost" : "127.0.0.1", port: port ?? self.port),
            origin: origin.map { .web(OriginURL(isSecure: false, host: "127.0.0.1", port: $0)) } ?? .echo,
            token: try RendezvousToken(Self.token), connections: 1)
    }

    func makeClient(
        _ configuration: TunnelClientConfiguration, pacer: DialPacer = DialPacer(),
        succeeding old: TunnelClient? = nil
    ) throws -> TunnelClient {
        try TunnelClient(
            configuration, group: group, log: log, budget: budget, software: "test", pacer: pacer,
            succeeding: old)
    }

    /// Sends a GET through the tunnel and reads the answer.
    func get(_ target: String = "/") async throws -> HTTPResponse {
        let port = port
        return try await onThread {
            try HTTPConnection(port: port).exchange("GET", target, fields: [("X-Token", Self.token)])
        }
    }

    /// Sends a GET and reads its head only; the rest is for `rest(of:)`.
    func begin(_ target: String) async throws -> HTTPConnection {
        let port = port
        return try await onThread {
            let caller = try HTTPConnection(port: port)
            try caller.send("GET", target, fields: [("X-Token", Self.token)])
            guard try caller.readHead().status == 200 else { throw TestFailure("the tunnel is not up") }
            return caller
        }
    }

    func rest(of caller: HTTPConnection, length: Int) async throws -> String {
        try await onThread { String(decoding: try caller.socket.read(length), as: UTF8.self) }
    }
}

/// An origin that names itself: `/slow` sends 5 bytes, and 5 more when the gate opens.
func namedOrigin(_ name: String, _ gate: Gate = Gate()) throws -> ScriptedOrigin {
    try ScriptedOrigin { connection in
        while let request = try connection.readRequest() {
            guard request.target == "/slow" else {
                try connection.respond(text: name)
                continue
            }
            try connection.writeHead(200, fields: [("Content-Length", "10")])
            try connection.socket.write("first")
            try gate.wait()
            try connection.socket.write("later")
        }
    }
}

/// A TLS server that sends everybody away, and tells who got so far as to ask.
final class TLSDoor: Sendable {
    let port: Int
    let pem: [UInt8]
    let asked = WaitableCounter()
    private let channel: any Channel

    init() throws {
        let certificate = try Certificate(for: "DNS:localhost")
        pem = certificate.pem
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMBytes(pem).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.keyPath, format: .pem))))
        let asked = asked
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        NIOSSLServerHandler(context: context), Refuser(asked),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = channel.localAddress?.port ?? 0
    }

    deinit { channel.close(promise: nil) }

    private final class Refuser: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let asked: WaitableCounter

        init(_ asked: WaitableCounter) { self.asked = asked }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            asked.add(1)
            let answer = ByteBuffer(string: "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
