import NIOCore
import NIOPosix
import NameResolution
import TestSupport
import Testing

@testable import TunnelTransport

@Suite(.timeLimit(.minutes(1))) struct ClientPortsTests {
    @Test func portsComeInTheOrderOfTheList() throws {
        let ports = try #require(ClientPorts([8000...8002, 8500...8500, 8001...8001]))
        #expect((0..<6).map { ports[$0] } == [8000, 8001, 8002, 8500, 8001, nil])
        #expect(ports.count == 4)
        #expect(ports.text == "8000..8002,8500,8001")
        #expect(ClientPorts([]) == nil)
    }

    private static func connect(
        host: String = "127.0.0.1", _ port: Int, from ranges: [ClosedRange<Int>],
        patience: TimeAmount = .seconds(10)
    ) async throws -> any Channel {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let ports = try #require(ClientPorts(ranges))
        return try await ClientPortConnector.connect(
            to: NameResolver.configured.lookUp(host, port: port, on: loop), from: ports, patience: patience,
            on: loop
        ) { ClientBootstrap(group: loop).connectTimeout($0) }.get()
    }

    /// A server that keeps its connections.
    private static func server() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in _ = connection.waitForEnd() }
    }

    @Test(arguments: ["127.0.0.1", "localhost"]) func theFirstFreePortIsTaken(host: String) async throws {
        let server = try Self.server()
        let listener = try Self.server()
        let free = try freePort()
        let channel = try await Self.connect(
            host: host, server.port, from: [listener.port...listener.port, free...free])
        #expect(channel.localAddress?.port == free)
        try await channel.close()
    }

    @Test func connectionsToOneServerHaveAPortEach() async throws {
        let server = try Self.server()
        let ports = [try freePort(), try freePort()]
        let ranges = ports.map { $0...$0 }
        let first = try await Self.connect(server.port, from: ranges)
        let second = try await Self.connect(server.port, from: ranges)
        #expect([first, second].map { $0.localAddress?.port } == ports)
        let error = try await #require(throws: DialError.self) {
            _ = try await Self.connect(server.port, from: ranges)
        }
        #expect(error.code == .noClientPort)
        #expect(
            error.message
                == "every port of client-ports (\(ports[0]),\(ports[1])) is in use: name more of them")
        // To another server they are free.
        let other = try Self.server()
        let third = try await Self.connect(other.port, from: ranges)
        #expect(third.localAddress?.port == ports[0])
        for channel in [first, second, third] { try await channel.close() }
    }

    @Test func hundredsOfTakenPortsArePassedOver() async throws {
        let server = try Self.server()
        let listener = try Self.server()
        let free = try freePort()
        let taken = Array(repeating: listener.port...listener.port, count: 400)
        let channel = try await Self.connect(server.port, from: taken + [free...free])
        #expect(channel.localAddress?.port == free)
        try await channel.close()
    }

    @Test func aServerThatRefusesIsNotTakenForAPort() async throws {
        let free = try freePort()
        let error = try await #require(throws: (any Error).self) {
            _ = try await Self.connect(try freePort(), from: [free...free])
        }
        #expect(ConnectionFailure.describe(error) == "connection refused")
    }

    @Test func anUnknownNameIsNamed() async throws {
        let error = try await #require(throws: (any Error).self) {
            _ = try await Self.connect(host: "no-such-host.invalid", 80, from: [8000...8000])
        }
        #expect(
            ConnectionFailure.describe(error) == "the host name \"no-such-host.invalid\" cannot be resolved")
    }

    @Test(.enabled(if: hasIPv6)) func aServerWithAnAddressOfVersion6IsDialledFromOne() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let server = try await ServerBootstrap(group: loop).bind(host: "::1", port: 0).get()
        let free = try freePort()
        let channel = try await Self.connect(
            host: "::1", try #require(server.localAddress?.port), from: [free...free])
        #expect(channel.localAddress?.protocol == .inet6)
        #expect(channel.localAddress?.port == free)
        try await channel.close()
        try await server.close()
    }

    private static let hasIPv6: Bool = {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let server = try? ServerBootstrap(group: loop).bind(host: "::1", port: 0).wait()
        server?.close(promise: nil)
        return server != nil
    }()
}
