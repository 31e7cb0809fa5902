import Logging
import NIOCore
import NIOPosix
import Observability
import TestSupport
import Testing
import TunnelConfiguration
import TunnelTransport

@testable import TunnelServer

/// Callers that take their time, on a real listener with small limits.
@Suite(.timeLimit(.minutes(1))) struct ListenerTimeTests {
    /// Starts a server, runs the body on a thread of its own with the port, and stops.
    private static func withServer(
        _ limits: ListenerLimits, _ body: @escaping @Sendable (Int) throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let log = AgentLog(sink: try LogSink(path: folder.path(of: "log"), format: .logfmt), level: .error)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await TunnelServer.start(
            ServerConfiguration(name: "test", host: "127.0.0.1", port: 0), group: group, log: log,
            budget: ProcessReceiveBudget(), software: "test", limits: limits)
        let port = server.address.port ?? 0
        let result = try await onThread { Result { try body(port) } }
        server.close()
        await server.drain()
        try await group.shutdownGracefully()
        log.sink.close()
        try result.get()
    }

    private static var limits: ListenerLimits {
        var limits = ListenerLimits()
        limits.headTimeout = .milliseconds(300)
        limits.idleTimeout = .seconds(3)
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

    @Test func moreConnectionsThanAllowedAreRefused() async throws {
        var limits = ListenerLimits()
        limits.callersPerAddress = 2
        try await Self.withServer(limits) { [limits] port in
            let taken = try (0..<limits.callersPerAddress).map { _ in try HTTPConnection(port: port) }
            for caller in taken { #expect(try caller.exchange("GET", "/_health_check").status == 200) }
            let answer = try HTTPConnection(port: port).exchange("GET", "/_health_check")
            #expect(answer.status == 503)
            #expect(answer.text == "Too many connections\n")
            taken[0].close()
            // The server hears of the end in its own time.
            while try HTTPConnection(port: port).exchange("GET", "/_health_check").status != 200 {}
        }
    }
}
