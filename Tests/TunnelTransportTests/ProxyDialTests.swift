import Glibc
import HTTPMessage
import NIOCore
import NIOEmbedded
import NIOPosix
import Synchronization
import TestSupport
import Testing
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelTransport

/// Dialling through proxies that do what a script says.
@Suite(.timeLimit(.minutes(1))) struct ProxyDialTests {
    private static let user = "walter"
    private static let password = "open-sesame"
    private static let authorization = BasicAuthorization.encode(user: user, password: password)

    private static func dial(
        proxyHost: String = "127.0.0.1", _ proxyPort: Int, hasCredentials: Bool = true,
        patience: TimeAmount = .seconds(10), owner: RecordingOwner = RecordingOwner()
    ) async throws -> any Channel {
        let target = TunnelDialler.Target(
            host: "tunnel.example", port: 8080, path: "/_tunnel",
            fields: HeaderFields([.origin: "dialler-test-token"]), tls: nil,
            proxy: HTTPProxy(
                host: proxyHost, port: proxyPort, authorization: hasCredentials ? authorization : nil))
        return try await TunnelDialler(target, patience: patience)
            .dial(on: MultiThreadedEventLoopGroup.singleton.next()) { _ in
                MuxSession(
                    role: .acceptor, limits: SessionLimits(),
                    settings: SessionSettings(maximumStreams: 0, initialWindow: 0, software: "test"),
                    budget: ProcessReceiveBudget(), owner: owner)
            }
    }

    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var hasCredentials = true
        let code: DialError.Code
        /// Parts of the message.
        let words: [String]
        var isRefusal = false
        var patience: TimeAmount = .seconds(10)
        /// What the proxy answers, in these pieces.
        let answer: [String]
        var closes = false
    }

    static let examples: [Example] = [
        Example(
            testDescription: "credentials that are wrong", code: .proxyRejected,
            words: ["does not take the user and the password", "407"], isRefusal: true,
            answer: ["HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"]),
        Example(
            testDescription: "credentials that are missing", hasCredentials: false, code: .proxyRejected,
            words: ["asks for a user and a password", "407", "http://user:password@"], isRefusal: true,
            answer: ["HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"]),
        Example(
            testDescription: "a destination that is not allowed", code: .proxyRejected,
            words: ["did not connect to tunnel.example:8080", "403: Not from here"], isRefusal: true,
            answer: ["HTTP/1.1 403 No\r\nContent-Length: 13\r\n\r\nNot from here"]),
        Example(
            testDescription: "a name that the proxy cannot resolve, told in a page", code: .proxyRejected,
            words: ["502: No such host"],
            answer: ["HTTP/1.0 502 No such host\r\n\r\n<html>Sorry</html>"], closes: true),
        Example(
            testDescription: "an upgrade in place of a connection", code: .proxyRejected, words: ["101"],
            answer: ["HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n"]),
        Example(
            testDescription: "a refusal whose body never comes", code: .proxyRejected, words: ["500: Oops"],
            patience: .milliseconds(300), answer: ["HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\n"]),
        Example(
            testDescription: "silence", code: .proxyTimedOut,
            words: ["did not answer the request for tunnel.example:8080 in time"],
            patience: .milliseconds(300), answer: []),
        Example(
            testDescription: "a head that drips", code: .proxyTimedOut, words: ["in time"],
            patience: .milliseconds(500),
            answer: ["HTTP/1.1 200 OK\r\nX: "] + Array(repeating: "x", count: 2000)),
        Example(
            testDescription: "interim answers without end", code: .proxyTimedOut, words: ["in time"],
            patience: .milliseconds(500),
            answer: Array(repeating: "HTTP/1.1 103 Early\r\n\r\n", count: 2000)),
        Example(
            testDescription: "a close", code: .proxyUnreachable, words: ["closed the connection"], answer: [],
            closes: true),
        Example(
            testDescription: "half a head and a close", code: .proxyUnreachable,
            words: ["closed the connection"], answer: ["HTTP/1.1 200 Conn"], closes: true),
        Example(
            testDescription: "SSH", code: .notAProxy, words: ["is no HTTP proxy"],
            answer: ["SSH-2.0-OpenSSH_9.9\r\n\r\n"]),
        Example(
            testDescription: "SOCKS", code: .notAProxy, words: ["is no HTTP proxy"],
            answer: ["\u{5}\u{0}\r\n\r\n"]),
        Example(
            testDescription: "a head without end", code: .notAProxy, words: ["is no HTTP proxy"],
            answer: ["HTTP/1.1 200 OK\r\nA: " + String(repeating: "a", count: 40_000)]),
        Example(
            testDescription: "a server behind it that refuses", code: .rejected,
            words: ["the server answered 503: Busy", "through the proxy"],
            // The server's first bytes come with the proxy's last.
            answer: [
                "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
                    + "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nBusy"
            ]),
        Example(
            testDescription: "a close after the answer", code: .unreachable,
            words: ["closed during the handshake", "through the proxy"],
            answer: ["HTTP/1.1 200 OK\r\n\r\n"], closes: true),
    ]

    @Test(arguments: examples) func eachWayToFailHasItsWords(_ example: Example) async throws {
        let proxy = try ScriptedOrigin { connection in
            guard try connection.readRequest() != nil else { return }
            for piece in example.answer {
                try connection.socket.write(piece)
                if example.answer.count > 1 { usleep(2000) }
            }
            if example.closes { connection.socket.finishWriting() }
            _ = connection.waitForEnd()
        }
        let owner = RecordingOwner()
        let start = ContinuousClock.now
        let error = try await #require(throws: DialError.self) {
            _ = try await Self.dial(
                proxy.port, hasCredentials: example.hasCredentials, patience: example.patience, owner: owner)
        }
        #expect(ContinuousClock.now - start < .seconds(8), "it is told at once")
        #expect(error.code == example.code)
        #expect(error.isRefusal == example.isRefusal)
        for words in example.words + ["127.0.0.1:\(proxy.port)"] {
            #expect(error.message.contains(words), "\(error.message)")
        }
        #expect(!error.message.contains(Self.password) && !error.message.contains(Self.authorization))
        #expect(owner.events.isEmpty)
        try await onThread { try proxy.waitForEnds(1) }
    }

    @Test func theProxyIsAskedForTheServerAndThenCarriesTheSession() async throws {
        let requests = Mutex<[MessageHead]>([])
        let proxy = try ScriptedOrigin { connection in
            for answer in ["HTTP/1.0 200 Connection established\r\nProxy-agent: x/1\r\n\r\n", nil] {
                guard let request = try connection.readRequest() else { return }
                requests.withLock { $0.append(request) }
                try connection.socket.write(
                    answer
                        ?? "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        + "Sec-WebSocket-Accept: \(OriginConnection.webSocketAccept(of: request))\r\n"
                        + "Sec-WebSocket-Protocol: wstunnel.v2\r\n\r\n")
            }
            _ = connection.waitForEnd()
        }
        let channel = try await Self.dial(proxy.port)
        try await channel.close()
        let (connect, handshake) = requests.withLock { ($0[0], $0[1]) }
        #expect(connect.method == "CONNECT" && connect.target == "tunnel.example:8080")
        #expect(connect["Host"] == "tunnel.example:8080")
        #expect(connect["Proxy-Authorization"] == Self.authorization)
        #expect(connect["Origin"] == nil, "the token is not the proxy's")
        #expect(handshake.target == "/_tunnel" && handshake["Host"] == "tunnel.example:8080")
        #expect(handshake["Proxy-Authorization"] == nil, "the credentials are not the server's")
    }

    @Test func aProxyThatNobodyRunsIsNamed() async throws {
        let port = try freePort()
        let error = try await #require(throws: DialError.self) { _ = try await Self.dial(port) }
        #expect(error.code == .proxyUnreachable)
        #expect(error.message == "cannot reach the proxy 127.0.0.1:\(port): connection refused")
    }

    @Test func aProxyWithoutAnAddressIsNamed() async throws {
        let error = try await #require(throws: DialError.self) {
            _ = try await Self.dial(proxyHost: "no-such-host.invalid", 3128)
        }
        #expect(error.code == .proxyUnreachable)
        #expect(error.message.contains("no-such-host.invalid:3128"), "\(error.message)")
        #expect(error.message.contains("cannot be resolved"), "\(error.message)")
    }

    // MARK: On an embedded channel

    private final class Recorder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private(set) var isActive = false
        private(set) var received = ByteBuffer()

        func channelActive(context: ChannelHandlerContext) { isActive = true }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            received.writeBuffer(&bytes)
        }
    }

    @Test(arguments: 0..<70) func theAnswerMayComeInAnyPieces(split: Int) throws {
        let answer = "HTTP/1.1 200 OK\r\nVia: x\r\n\r\nfrom the server, at once"
        let place = min(split, answer.utf8.count)
        let recorder = Recorder()
        let channel = EmbeddedChannel()
        let isOpen = channel.eventLoop.makePromise(of: Void.self)
        try channel.pipeline.syncOperations.addHandlers([
            ProxyHandler(
                HTTPProxy(host: "::1", port: 3128, authorization: nil), destination: "[::1]:80",
                patience: .seconds(10), isOpen: isOpen), recorder,
        ])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        #expect(
            try channel.readOutbound(as: ByteBuffer.self)
                == ByteBuffer(string: "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"))
        #expect(!recorder.isActive)
        for piece in [answer.utf8.prefix(place), answer.utf8.dropFirst(place)] {
            try channel.writeInbound(ByteBuffer(string: String(piece) ?? ""))
        }
        #expect(recorder.isActive)
        #expect(recorder.received == ByteBuffer(string: "from the server, at once"))
        #expect(throws: NIOCore.ChannelPipelineError.self) {
            try channel.pipeline.syncOperations.handler(type: ProxyHandler.self)
        }
        // Its time counts no more.
        channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        #expect(channel.isActive)
        isOpen.succeed()
        _ = try? channel.finish()
    }

    @Test func tlsBeginsWhenTheProxyHasAgreed() throws {
        let channel = EmbeddedChannel()
        let isOpen = channel.eventLoop.makePromise(of: Void.self)
        let tls = try ClientTLS(PeerTrust(isInsecure: true))
        try channel.pipeline.syncOperations.addHandlers([
            ProxyHandler(
                HTTPProxy(host: "proxy", port: 3128, authorization: nil), destination: "tunnel.example:443",
                patience: .seconds(10), isOpen: isOpen)
        ])
        try tls.addHandlers(
            to: channel.pipeline.syncOperations, host: "tunnel.example", patience: .seconds(10))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let request = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: request).hasPrefix("CONNECT tunnel.example:443 "))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        try channel.writeInbound(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n"))
        let hello = try #require(try channel.readOutbound(as: ByteBuffer.self))
        // A handshake record, and in it the server's name, not the proxy's.
        #expect(hello.readableBytesView.first == 22)
        #expect(String(buffer: hello).contains("tunnel.example"))
        isOpen.succeed()
        _ = try? channel.finish()
    }
}
