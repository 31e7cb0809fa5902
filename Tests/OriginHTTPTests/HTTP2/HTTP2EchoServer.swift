import HTTPMessage
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL
import OriginHTTP
import TestSupport
import TransportSecurity
import TunnelConfiguration

/// A server of HTTP/2 that answers each request with its own body as that comes, and with its trailers; its head says what the
/// request's did. On one connection a client that begins otherwise gets an answer of HTTP/1.1.
final class HTTP2EchoServer: Sendable {
    let port: Int
    private let channel: any Channel
    private let certificate: Certificate?

    /// - Parameters:
    ///   - protocols: what it offers over TLS, by ALPN; nil for plain TCP.
    ///   - settings: what it tells of itself.
    init(protocols: [String]? = nil, settings: HTTP2Settings = nioDefaultSettings) throws {
        let certificate = try protocols.map { _ in try Certificate(for: "DNS:localhost") }
        self.certificate = certificate
        let context = try certificate.map { certificate in
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.path).map {
                    .certificate($0)
                },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.keyPath, format: .pem)))
            configuration.applicationProtocols = protocols ?? []
            return try NIOSSLContext(configuration: configuration)
        }
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context { try pipeline.addHandler(NIOSSLServerHandler(context: context)) }
                    try pipeline.addHandler(Chooser(settings))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = channel.localAddress?.port ?? 0
    }

    deinit { channel.close(promise: nil) }

    func origin(
        _ versions: HTTPVersions, _ options: HTTPOriginOptions = HTTPOriginOptions()
    ) throws -> HTTPOrigin {
        guard let certificate else {
            return HTTPOrigin(
                try OriginAddress("http://127.0.0.1:\(port)"), versions: versions, options: options)
        }
        let trust = PeerTrust(certificates: CertificateFile(path: "/ca.pem", pem: certificate.pem))
        return HTTPOrigin(
            try OriginAddress("https://localhost:\(port)"), tls: try ClientTLS(trust), versions: versions,
            options: options)
    }
}

/// Sees by the first bytes which version is spoken.
private final class Chooser: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let settings: HTTP2Settings
    private var isOld = false

    init(_ settings: HTTP2Settings) { self.settings = settings }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if isOld || bytes.getString(at: bytes.readerIndex, length: 4) != "PRI " {
            isOld = true
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold"
            return context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }
        let pipeline = context.pipeline.syncOperations
        do {
            try pipeline.addHandler(NIOHTTP2Handler(mode: .server, initialSettings: settings))
            try pipeline.addHandler(Echo())
        } catch {
            return context.close(promise: nil)
        }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class Echo: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    private var methods: [HTTP2StreamID: String] = [:]

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .headers(let payload):
            if methods[frame.streamID] == nil {
                began(payload, frame.streamID, context)
            } else {
                write(.headers(.init(headers: payload.headers, endStream: true)), frame.streamID, context)
            }
        case .data(let payload):
            let count = payload.data.readableBytes
            if count > 0 {
                write(.windowUpdate(windowSizeIncrement: count), .rootStream, context)
                if !payload.endStream {
                    write(.windowUpdate(windowSizeIncrement: count), frame.streamID, context)
                }
            }
            write(.data(payload), frame.streamID, context)
        default: break
        }
    }

    private func began(
        _ payload: HTTP2Frame.FramePayload.Headers, _ id: HTTP2StreamID, _ context: ChannelHandlerContext
    ) {
        let method = payload.headers.first(name: ":method") ?? ""
        methods[id] = method
        var answer = HPACKHeaders([(":status", "200")])
        for (name, value, _) in payload.headers {
            answer.add(name: "x-" + name.drop { $0 == ":" }, value: value)
        }
        if payload.headers.first(name: "expect") != nil {
            write(.headers(.init(headers: [":status": "100"])), id, context)
        }
        if payload.headers.first(name: ":path") == "/hints" {
            write(.headers(.init(headers: [":status": "103", "link": "</a>"])), id, context)
        }
        write(.headers(.init(headers: answer, endStream: payload.endStream)), id, context)
    }

    private func write(
        _ payload: HTTP2Frame.FramePayload, _ id: HTTP2StreamID, _ context: ChannelHandlerContext
    ) {
        context.writeAndFlush(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
