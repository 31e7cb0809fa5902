import Foundation
import HTTPMessage
import HTTPServing
import Logging
import NIOCore
import NIOPosix
import Observability
import Routing
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

@testable import TunnelServer

/// Callers that take their time, on a real listener with small limits.
@Suite(.timeLimit(.minutes(1))) struct ListenerTimeTests {
    /// Starts a server, runs the body on a thread of its own with the port, and stops.
    ///
    /// - Parameter owner: of the session of a tunnel client, if there is to be one.
    private static func withServer(
        _ limits: ListenerLimits, expecting tokens: ExpectedTokens = .listed,
        tunnelOwnedBy owner: LargeAnswers? = nil,
        _ body: @escaping @Sendable (Int) throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let log = AgentLog(sink: try LogSink(path: folder.path(of: "log"), format: .logfmt), level: .error)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = TunnelServer(
            ServerWorld.configuration(), group: group, log: log, budget: ProcessReceiveBudget(),
            software: "test", limits: limits)
        server.expect(tokens)
        try await server.listen(on: try ServerWorld.bind())
        let port = server.address?.port ?? 0
        if let owner {
            let target = TunnelDialler.Target(
                host: "127.0.0.1", port: port, path: "/_tunnel", fields: HeaderFields([.origin: token]),
                tls: nil)
            _ = try await TunnelDialler(target).dial(on: group.next()) { _ in
                MuxSession(
                    role: .acceptor, limits: SessionLimits(),
                    settings: SessionSettings(maximumStreams: 0, initialWindow: 0, software: "test"),
                    budget: ProcessReceiveBudget(), owner: owner)
            }
        }
        let result = try await onThread { Result { try body(port) } }
        server.close()
        await server.drain()
        try await group.shutdownGracefully()
        log.sink.close()
        try result.get()
    }

    private static let token = "listener-time-token"

    private static var limits: ListenerLimits {
        var limits = ListenerLimits()
        limits.connection.headTimeout = .milliseconds(300)
        limits.connection.idleTimeout = .seconds(3)
        return limits
    }

    @Test(arguments: ["G", "GET / HTTP/1.1\r\nHost: a\r\n", "\r\n"])
    func aHeadThatDoesNotEndIsAnsweredBy408(_ start: String) async throws {
        try await Self.withServer(Self.limits) { port in
            let caller = try HTTPConnection(port: port)
            try caller.send(start)
            #expect(try caller.readResponse().status == 408)
            #expect(caller.waitForEnd() == .closed)
        }
    }

    @Test func whoWaitsForATunnelThatDoesNotComeIsToldThatThereIsNone() async throws {
        var limits = Self.limits
        limits.successionTime = .seconds(1)
        let begun = ContinuousClock.now
        try await Self.withServer(limits, expecting: .every) { [limits] port in
            let caller = try HTTPConnection(port: port)
            let answer = try caller.exchange("GET", "/", fields: [("X-Token", Self.token)])
            #expect(answer.status == 404)
            #expect(.now - begun >= limits.successionTime)
            // Now it is known.
            #expect(try caller.exchange("GET", "/", fields: [("X-Token", Self.token)]).status == 404)
        }
    }

    @Test func bytesNowAndThenDoNotPutTheEndOff() async throws {
        try await Self.withServer(Self.limits) { port in
            let caller = try HTTPConnection(port: port, limit: .milliseconds(30))
            let begun = ContinuousClock.now
            try caller.send("GET / HTTP/1.1\r\nA: ")
            var answer: HTTPResponse?
            while answer == nil, ContinuousClock.now - begun < .seconds(20) {
                try caller.send("x")
                answer = try? caller.readResponse()
            }
            #expect(answer?.status == 408)
        }
    }

    @Test func aSilentConnectionIsClosedLongBeforeAnIdleOne() async throws {
        try await Self.withServer(Self.limits) { port in
            let idle = try HTTPConnection(port: port)
            #expect(try idle.exchange("GET", "/_health_check").status == 200)
            let begun = ContinuousClock.now
            let silent = try HTTPConnection(port: port)
            #expect(silent.waitForEnd() == .closed)
            // The idle one waited longer, and goes on.
            #expect(try idle.exchange("GET", "/_health_check").status == 200)
            #expect(ContinuousClock.now - begun >= .milliseconds(300))
            #expect(idle.waitForEnd() == .closed)
        }
    }

    /// The exchange is over for the server while most of the answer still waits in it for the caller.
    @Test func aSlowReaderGetsItsAnswerWholeBeyondTheIdleTimeout() async throws {
        var limits = ListenerLimits()
        limits.connection.idleTimeout = .milliseconds(200)
        limits.connection.lingerTimeout = .milliseconds(200)
        try await Self.withServer(limits, tunnelOwnedBy: LargeAnswers()) { port in
            let caller = try HTTPConnection(port: port, receiveBuffer: 4096)
            try caller.send("GET", "/", fields: [("X-Token", Self.token)])
            #expect(try caller.readHead().status == 200)
            // The pause is the subject: several times the time-outs.
            Thread.sleep(forTimeInterval: 1)
            let body = try caller.socket.read(LargeAnswers.size)
            #expect(body.allSatisfy { $0 == 7 })
            #expect(caller.waitForEnd() == .closed)
        }
    }

    @Test func moreConnectionsThanAllowedAreRefused() async throws {
        var limits = ListenerLimits()
        limits.callersPerAddress = 2
        try await Self.withServer(limits) { [limits] port in
            let taken = try (0..<limits.callersPerAddress).map { _ in try HTTPConnection(port: port) }
            for caller in taken { #expect(try caller.exchange("GET", "/_health_check").status == 200) }
            let answer = try HTTPConnection(port: port).exchange("GET", "/_health_check")
            #expect(answer.status == 429)
            #expect(
                answer.text
                    == "Too many connections from this address (limit: per-address.connections)\n")
            taken[0].close()
            // The server hears of the end in its own time.
            while try HTTPConnection(port: port).exchange("GET", "/_health_check").status != 200 {}
        }
    }
}

/// A tunnel client's session that answers every request at once by 200 KiB: less than what a stream may send, or a
/// connection may hold, before anybody is asked to wait.
private final class LargeAnswers: SessionOwner, StreamReceiver, Sendable {
    static let size = 200 << 10

    func sessionReady(_ session: any Session, peer: SessionSettings) {}
    func session(_ session: any Session, opened id: StreamID, head: ByteBuffer, isLast: Bool) {
        session.accept(id, receiver: self)
        let head = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: \(Self.size)\r\n\r\n")
        session.respond(id, head: head, isInterim: false, isLast: false)
        _ = session.send(id, ByteBuffer(repeating: 7, count: Self.size))
        session.finish(id)
    }
    func sessionPeerDrains(_ session: any Session, reason: String) {}
    func sessionEnded(_ session: any Session, _ end: SessionEnd) {}

    func streamReceived(head: ByteBuffer, isInterim: Bool, isLast: Bool, originTime: UInt32?) {}
    func streamReceived(data: ByteBuffer, isLast: Bool) {}
    func streamReceived(trailers: ByteBuffer) {}
    func streamWasReset(_ end: StreamTermination, reason: String) {}
    func streamBecameWritable() {}
}
