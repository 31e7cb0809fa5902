import Foundation
import HTTPMessage
import NIOCore
import NIOPosix
import NIOSSL
import OriginHTTP
import Synchronization
import TestSupport
import Testing
import TransportSecurity
import TunnelConfiguration

/// An HTTPS server with a certificate of its own making, for one name.
private final class TLSServer: Sendable {
    let port: Int
    /// Its certificate.
    let pem: [UInt8]
    private let channel: any Channel

    init(name: String, answer: String = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") throws {
        let certificate = try Certificate(for: name)
        pem = certificate.pem
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.path).map {
                    .certificate($0)
                },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: certificate.keyPath, format: .pem))))
        channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        NIOSSLServerHandler(context: context), AnswerHandler(answer),
                    ])
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = channel.localAddress?.port ?? 0
    }

    deinit { channel.close(promise: nil) }

    func origin(_ tls: ClientTLS, host: String = "localhost") throws -> HTTPOrigin {
        HTTPOrigin(try OriginAddress("https://\(host):\(port)"), tls: tls)
    }
}

/// Beside the system's authorities.
private func trusting(_ pem: [UInt8]) -> PeerTrust {
    PeerTrust(certificates: CertificateFile(path: "/folder/ca.pem", pem: pem))
}

/// Answers every read with the same bytes.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let answer: String

    init(_ answer: String) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

@Suite(.timeLimit(.minutes(1)))
struct OriginTLSTests {
    @Test func ownCertificatesAreTrustedByFile() throws {
        let server = try TLSServer(name: "DNS:localhost")
        let origin = try server.origin(try ClientTLS(trusting(server.pem)))
        for _ in 0..<2 {
            let state = try RecordedExchange.get(origin)
            #expect(state.text == "ok")
            #expect(!state.calledTooEarly)
        }
    }

    @Test func addressesAreVerifiedToo() throws {
        let server = try TLSServer(name: "IP:127.0.0.1")
        let origin = try server.origin(try ClientTLS(trusting(server.pem)), host: "127.0.0.1")
        #expect(try RecordedExchange.get(origin).text == "ok")
    }

    @Test func unknownCertificatesAreNotTrusted() throws {
        let server = try TLSServer(name: "DNS:localhost")
        let state = try RecordedExchange.get(
            HTTPOrigin(try OriginAddress("https://localhost:\(server.port)")))
        #expect(state.error?.code == .tlsFailed)
        #expect(state.error?.message.contains("is signed by itself (CN=wstunnel test)") == true)
    }

    @Test func certificatesForAnotherNameAreNotTrusted() throws {
        let server = try TLSServer(name: "DNS:other.example")
        let state = try RecordedExchange.get(try server.origin(try ClientTLS(trusting(server.pem))))
        #expect(state.error?.code == .tlsFailed)
        #expect(state.error?.message.contains("is for other.example, not for localhost") == true)
    }

    @Test func insecureTrustsAnything() throws {
        let server = try TLSServer(name: "DNS:other.example")
        #expect(
            try RecordedExchange.get(try server.origin(try ClientTLS(PeerTrust(isInsecure: true)))).text
                == "ok")
    }

    @Test func serversWithoutTLSAreToldApart() throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.socket.readSome()
            try connection.respond(400, text: "plain HTTP here")
        }
        let origin = HTTPOrigin(try OriginAddress("https://127.0.0.1:\(server.port)"))
        let state = try RecordedExchange.get(origin)
        #expect(state.error?.code == .tlsFailed)
        #expect(state.error?.message.contains("does not speak TLS") == true)
    }

    @Test func silentServersTimeOut() throws {
        let server = try ScriptedOrigin { _ = $0.waitForEnd() }
        let options = HTTPOriginOptions(connectTimeout: .seconds(2))
        // The time counts from the request on, and reading the system's roots takes some of it: it is to be over while
        // the server is silent, not before it is asked.
        let tls = ClientTLS()
        try tls.load(for: "127.0.0.1")
        let origin = HTTPOrigin(
            try OriginAddress("https://127.0.0.1:\(server.port)"), tls: tls, options: options)
        #expect(try RecordedExchange.get(origin).error?.code == .timedOut)
        try server.waitForEnds(1)
    }

    @Test func aBodyCutWithoutTLSsOwnEndIsNotWhole() throws {
        // The server says nothing of a length and is cut by the test, not closed.
        let answer = "HTTP/1.1 200 OK\r\n\r\npart"
        let server = try TLSServer(name: "DNS:localhost", answer: answer)
        let relay = try ScriptedOrigin { connection in
            let target = try StreamSocket(port: server.port)
            // Handshake and request may come in one piece or in two.
            Thread.detachNewThread {
                while let bytes = try? connection.socket.readSome(), (try? target.write(bytes)) != nil {}
            }
            while true {
                let header = try target.read(5)
                let length = Int(header[3]) << 8 | Int(header[4])
                try connection.socket.write(header + (try target.read(length)))
                // The answer, with the type and the tag of its record (RFC 8446 §5.2).
                if header[0] == 23, length == answer.utf8.count + 17 {
                    // The other thread still reads, which keeps the socket from closing.
                    return connection.socket.finishWriting()
                }
            }
        }
        let origin = HTTPOrigin(
            try OriginAddress("https://localhost:\(relay.port)"),
            tls: try ClientTLS(trusting(server.pem)))
        let state = try RecordedExchange.get(origin)
        #expect(state.text == "part")
        #expect(!state.isEnded)
        #expect(state.error?.code == .closedEarly)
    }

    @Test func withoutAuthoritiesNobodyIsTrustedUntilThereAreSome() throws {
        let server = try TLSServer(name: "DNS:localhost")
        let hasRoots = Mutex(false)
        let tls = try ClientTLS(PeerTrust()) { hasRoots.withLock { $0 } }
        let origin = try server.origin(tls)
        let error = try #require(try RecordedExchange.get(origin).error)
        #expect(error.code == .tlsFailed)
        #expect(error.message.contains("install ca-certificates"))
        hasRoots.withLock { $0 = true }
        #expect(
            try RecordedExchange.get(origin).error?.message.contains("is signed by itself (CN=wstunnel test)")
                == true)
    }

    @Test func whereTheMachineTrustsNobodyTheFileIsEnough() throws {
        let server = try TLSServer(name: "DNS:localhost")
        let tls = try ClientTLS(trusting(server.pem)) { false }
        #expect(try RecordedExchange.get(try server.origin(tls)).text == "ok")
    }

    @Test(arguments: ["", "nothing\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    func textsWithoutCertificatesAreAnError(text: String) {
        let error = #expect(throws: TLSSetupError.self) {
            try ClientTLS(trusting(Array(text.utf8)))
        }
        #expect(error?.description.contains("/folder/ca.pem") == true)
    }
}
