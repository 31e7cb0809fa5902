import AgentStatus
import Glibc
import HTTPServing
import HostSystem
import NIOCore
import TestSupport
import Testing
import TunnelConfiguration
import TunnelTransport

@testable import TunnelServer

/// Sockets that other processes opened, sockets that break, and sockets that must not be left over.
@Suite(.timeLimit(.minutes(1))) struct ListeningSocketTests {
    private static func open(_ family: CInt, _ type: CInt) throws -> CInt {
        try SocketCalls.check(socket(family, type, 0))
    }

    @Test func aSocketThatAnotherProcessOpenedIsServed() async throws {
        try await ServerWorld.run { world in
            let bound = try ServerWorld.bind()
            let descriptor = dup(try bound.duplicate())
            // As systemd passes it.
            _ = fcntl(descriptor, F_SETFD, 0)
            let socket = try ListeningSocket(inherited: descriptor)
            #expect(socket.address == bound.address && socket.port == bound.port)
            #expect(socket.host == "127.0.0.1")
            #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
            let server = world.makeServer()
            try await server.listen(on: socket)?.leave()
            try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                #expect(try caller.exchange("GET", "/_health_check").status == 200)
            }
            await server.drain()
            // Its other owner may give it to somebody else: the queue goes on.
            let next = world.makeServer()
            let waiting = try await onThread { try HTTPConnection(port: socket.port) }
            try await next.listen(on: bound)?.leave()
            try await onThread {
                let answer = try waiting.exchange("GET", "/_health_check")
                #expect(answer.status == 200)
            }
        }
    }

    @Test func whatIsNoListeningTCPSocketIsRefused() throws {
        let stream = try Self.open(AF_INET, CInt(SOCK_STREAM.rawValue))
        let datagram = try Self.open(AF_INET, CInt(SOCK_DGRAM.rawValue))
        let local = try Self.open(AF_UNIX, CInt(SOCK_STREAM.rawValue))
        let file = Glibc.open("/dev/null", O_RDONLY)
        defer { for descriptor in [stream, datagram, local, file] { Glibc.close(descriptor) } }
        for (descriptor, reason) in [
            (stream, "it does not listen"), (datagram, "it is no stream socket"),
            (local, "it is no socket over IP"), (file, "it is no socket"),
            (1_000_000, "there is no such descriptor"),
        ] {
            let error = #expect(throws: ListenError.self) { try ListeningSocket(inherited: descriptor) }
            let text = error?.description ?? ""
            #expect(
                text.hasPrefix("cannot listen on the passed descriptor \(descriptor): \(reason) — "),
                "\(text)")
        }
        // They are still their owner's.
        #expect(fcntl(stream, F_GETFD) >= 0 && fcntl(file, F_GETFD) >= 0)
    }

    @Test func aSocketThatWasGivenUpIsOfNoUse() async throws {
        try await ServerWorld.run { world in
            var limits = ListenerLimits()
            limits.handshakeTime = .zero
            let (server, old) = try await world.startServer(limits: limits)
            let new = try ServerWorld.bind()
            try await server.listen(on: new)?.leave()
            await #expect(throws: ListenError.self) { try await server.listen(on: old)?.leave() }
            #expect(server.address == new.address)
        }
    }

    @Test func aListenerThatBreaksIsNoticedAndMended() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer()
            async let failure = server.untilListenerFails()
            let descriptor = try socket.duplicate()
            shutdown(descriptor, CInt(SHUT_RDWR))
            Glibc.close(descriptor)
            let text = try #require(await failure)
            #expect(text.hasPrefix("the listener at 127.0.0.1:\(socket.port) failed: "))
            #expect(server.snapshot.state == .failed)
            #expect(server.snapshot.lastFault?.code == "listener-failed")
            #expect(server.address == nil)
            // Who asks late hears it too.
            #expect(await server.untilListenerFails() == text)

            let fresh = try ServerWorld.bind()
            try await server.listen(on: fresh)?.leave()
            #expect(server.snapshot.state == .listening)
            try await onThread {
                let caller = try HTTPConnection(port: fresh.port)
                #expect(try caller.exchange("GET", "/_health_check").status == 200)
            }
        }
    }

    @Test func movesAndDrainsAreNoFailures() async throws {
        try await ServerWorld.run { world in
            let (server, _) = try await world.startServer()
            async let failure = server.untilListenerFails()
            try await server.listen(on: try ServerWorld.bind())?.leave()
            try await server.listen(on: try ServerWorld.bind())?.leave()
            await server.drain()
            #expect(await failure == nil)
            #expect(await server.untilListenerFails() == nil)
        }
    }

    @Test func whoNoLongerWantsToKnowIsLetGo() async throws {
        try await ServerWorld.run { world in
            let (server, _) = try await world.startServer()
            let asking = Task { await server.untilListenerFails() }
            asking.cancel()
            #expect(await asking.value == nil)
        }
    }

    /// In a process of its own: the descriptors of other tests come and go.
    @Test func nothingIsLeftOfAHundredServers() async {
        await #expect(processExitsWith: .success) {
            var limits = ListenerLimits()
            limits.handshakeTime = .zero
            try await ServerWorld.run { [limits] world in
                func cycle() async throws {
                    let configuration = ServerWorld.configuration()
                    let server = TunnelServer(
                        configuration, group: world.group, log: world.log,
                        budget: ProcessReceiveBudget(), software: "test", limits: limits)
                    try await server.listen(on: try ServerWorld.bind())?.leave()
                    let tunnel = try await world.connect(TestTokens.first, to: server)
                    let next = try ServerWorld.bind()
                    try await server.listen(on: next)?.leave()
                    let other = TunnelServer(
                        configuration, group: world.group, log: world.log,
                        budget: ProcessReceiveBudget(), software: "test", limits: limits)
                    try await other.listen(on: next)?.leave()
                    await server.drain()
                    await other.drain()
                    try await onThread { try tunnel.ended.wait() }
                }
                for _ in 0..<5 { try await cycle() }
                let before = try openDescriptors()
                let threads = try openThreads()
                for _ in 0..<100 { try await cycle() }
                // The last connections close in their own time.
                let deadline = ContinuousClock.now + .seconds(10)
                while try openDescriptors() > before + 2, ContinuousClock.now < deadline {
                    await Task.yield()
                }
                let after = try openDescriptors()
                guard after <= before + 2, try openThreads() <= threads + 4 else {
                    throw TestFailure("\(before) descriptors before, \(after) after")
                }
            }
        }
    }
}
