import HTTPMessage
import NIOCore
import NIOPosix
import TestSupport
import Testing
import TunnelProtocol
import TunnelTransport

/// What a client makes of the answers to its handshake.
@Suite(.timeLimit(.minutes(1))) struct TunnelDiallerTests {
    private final class Owner: SessionOwner {
        func sessionReady(_ session: any Session, peer: SessionSettings) {}
        func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {}
        func sessionPeerDrains(_ session: any Session, reason: String) {}
        func sessionEnded(_ session: any Session, _ end: SessionEnd) {}
    }

    /// Dials a server that runs a script; nil for success.
    private static func dial(_ script: @escaping ScriptedOrigin.Script) async throws -> DialError? {
        let server = try ScriptedOrigin(script)
        defer { server.close() }
        let dialler = TunnelDialler(
            TunnelDialler.Target(
                host: "127.0.0.1", port: server.port, path: "/_tunnel", fields: HeaderFields(), tls: nil))
        do {
            let channel = try await dialler.dial(on: MultiThreadedEventLoopGroup.singleton.any()) { _ in
                MuxSession(
                    role: .acceptor, limits: SessionLimits(),
                    settings: SessionSettings(maximumStreams: 10, initialWindow: 1 << 16, software: "test"),
                    budget: ProcessReceiveBudget(), owner: Owner())
            }
            try? await channel.close()
            return nil
        } catch let error as DialError {
            return error
        }
    }

    /// A server that writes this and then listens, for longer than the test may take.
    private static func dial(answer: String) async throws -> DialError? {
        try await dial { connection in
            _ = try connection.readRequest()
            try connection.socket.write(Array(answer.utf8))
            _ = connection.waitForEnd()
        }
    }

    @Test func interimAnswersBeforeTheAnswerAreSkipped() async throws {
        let error = try await Self.dial { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.writeHead(100)
            try connection.writeHead(103, fields: [("Link", "</a>")])
            try connection.acceptWebSocket(request, fields: [("Sec-WebSocket-Protocol", "wstunnel.v2")])
            _ = connection.waitForEnd()
        }
        #expect(error == nil)
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let answer: String
        let code: DialError.Code
        let message: String
        var isRefusal = false
    }

    static let refusals: [Refusal] = [
        Refusal(
            testDescription: "a 101 without its fields", answer: "HTTP/1.1 101 Up\r\n\r\n",
            code: .notATunnelServer, message: "the server's 101 opens no WebSocket"),
        Refusal(
            testDescription: "chunks",
            answer: "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "4;a=b\r\nwron\r\n9\r\ng passwor\r\n7\r\nd\nmore\n\r\n0\r\n\r\n",
            code: .rejected, message: "the server answered 403: wrong password", isRefusal: true),
        Refusal(
            testDescription: "an interim answer before",
            answer: "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nwho",
            code: .rejected,
            message: "the server answered 401: who — password missing or wrong, or token not listed",
            isRefusal: true),
        Refusal(
            testDescription: "a server that explains its 401",
            answer: "HTTP/1.1 401 No\r\nContent-Length: 51\r\n\r\n"
                + "No: password missing or wrong, or token not listed\n",
            code: .rejected,
            message: "the server answered 401: No: password missing or wrong, or token not listed",
            isRefusal: true),
        Refusal(
            testDescription: "a page that asks for a password",
            answer: "HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\n<html>",
            code: .rejected,
            message: "the server answered 401: Unauthorized — what stands before the server may want a user"
                + " and password: ws://user:password@host",
            isRefusal: true),
        Refusal(
            testDescription: "a page",
            answer: "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<!DOCTYPE html>",
            code: .rejected,
            message: "the server answered 200: OK — is this a wstunnel server? is the base path right?"),
        Refusal(
            testDescription: "another page, without a sign in its first line",
            answer:
                "HTTP/1.1 410 Gone\r\nContent-Type: Text/HTML; charset=utf-8\r\nContent-Length: 4\r\n\r\nBye\n",
            code: .rejected,
            message: "the server answered 410: Gone — is this a wstunnel server? is the base path right?"),
        Refusal(
            testDescription: "a proxy's page about a server that is down",
            answer: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>",
            code: .rejected, message: "the server answered 502: Bad Gateway"),
        Refusal(
            testDescription: "a redirect to https",
            answer: "HTTP/1.1 301 Moved\r\nLocation: https://h/x\r\nContent-Length: 0\r\n\r\n",
            code: .rejected,
            message: "the server answered 301: Moved — it leads to https://h/x; use wss:// and that host"),
        Refusal(
            testDescription: "a redirect to nowhere",
            answer: "HTTP/1.1 302 \r\nContent-Length: 0\r\n\r\n",
            code: .rejected,
            message: "the server answered 302 — is this a wstunnel server? is the base path right?"),
        Refusal(
            testDescription: "too many", answer: "HTTP/1.1 429 No\r\nContent-Length: 4\r\n\r\nslow",
            code: .rejected, message: "the server answered 429: slow", isRefusal: true),
        Refusal(
            testDescription: "busy", answer: "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy",
            code: .rejected, message: "the server answered 503: busy"),
        Refusal(
            testDescription: "no body", answer: "HTTP/1.1 404 Not here\r\nContent-Length: 0\r\n\r\n",
            code: .rejected,
            message: "the server answered 404: Not here — is this a wstunnel server? is the base path right?"),
        Refusal(
            testDescription: "broken chunks",
            answer: "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            code: .rejected, message: "the server answered 500: Oops"),
        Refusal(
            testDescription: "no end",
            answer: "HTTP/1.1 500 Oops\r\n\r\n" + String(repeating: "x", count: 5000),
            code: .rejected, message: "the server answered 500: " + String(repeating: "x", count: 200)),
    ]

    @Test(arguments: refusals) func refusalsAreToldAtOnce(_ refusal: Refusal) async throws {
        let start = ContinuousClock.now
        let error = try #require(try await Self.dial(answer: refusal.answer))
        #expect(error.code == refusal.code)
        #expect(error.message == refusal.message)
        #expect(error.isRefusal == refusal.isRefusal)
        #expect(ContinuousClock.now - start < .seconds(8))
    }
}

@Suite struct ConnectionFailureTests {
    private struct Peculiar: Error {
        let secret = "s3cret"
    }

    @Test func unknownErrorsAreNamedAndNotDumped() {
        #expect(ConnectionFailure.describe(Peculiar()) == "the connection failed (Peculiar)")
    }
}
