import HTTPServing
import HostSystem
import NIOCore
import TestSupport
import Testing
import TunnelConfiguration

@testable import TunnelServer

/// Connections that have yet to say in a PROXY header whose they are.
@Suite(.timeLimit(.minutes(1))) struct ProxyHeaderBoundsTests {
    private static let configuration = ServerWorld.configuration {
        $0.trust.proxies = [AddressRange("127.0.0.1")].compactMap(\.self)
        $0.trust.proxyHeader = .required
    }
    private static let health = "GET /_health_check HTTP/1.1\r\nHost: a\r\n\r\n"

    @Test(arguments: ["", "P", "PROXY TCP4 192.0.2.1 192", "\r\n\r\n\0\r\nQUIT\n!"])
    func aHeaderThatDoesNotComeInTimeEndsTheConnection(start: String) async throws {
        try await ServerWorld.run { world in
            var limits = ListenerLimits()
            limits.connection.headTimeout = .milliseconds(300)
            let (_, socket) = try await world.startServer(Self.configuration, limits: limits)
            let port = socket.address.port ?? 0
            try await onThread {
                let connection = try HTTPConnection(port: port, limit: .seconds(10))
                try connection.send(start)
                #expect(connection.waitForEnd(within: .seconds(10)) == .closed)
            }
        }
    }

    @Test func thereAreNoMoreOfThemThanCallers() async throws {
        // On one loop they are taken in their order.
        try await ServerWorld.run(threads: 1) { world in
            var limits = ListenerLimits()
            limits.callers = 2
            let (_, socket) = try await world.startServer(Self.configuration, limits: limits)
            let port = socket.address.port ?? 0
            try await onThread {
                let waiting = try (0..<2).map { _ in try HTTPConnection(port: port) }
                for connection in waiting { try connection.send("PROXY UN") }
                let third = try HTTPConnection(port: port)
                #expect(third.waitForEnd() != .timedOut)
                try waiting[0].send("KNOWN\r\n" + Self.health)
                #expect(try waiting[0].readResponse().status == 200)
                waiting[1].close()
                let fourth = try HTTPConnection(port: port)
                try fourth.send("PROXY UNKNOWN\r\n" + Self.health)
                #expect(try fourth.readResponse().status == 200)
            }
        }
    }

    /// Its head is timed from there on, as of any other.
    @Test func whatFollowsTheHeaderHasItsOwnTime() async throws {
        try await ServerWorld.run { world in
            var limits = ListenerLimits()
            limits.connection.headTimeout = .milliseconds(300)
            let (_, socket) = try await world.startServer(Self.configuration, limits: limits)
            let port = socket.address.port ?? 0
            try await onThread {
                let connection = try HTTPConnection(port: port, limit: .seconds(10))
                try connection.send("PROXY UNKNOWN\r\nGET / HT")
                #expect(try connection.readResponse().status == 408)
            }
        }
    }
}
