import AgentStatus
import HTTPServing
import HostSystem
import NIOCore
import NIOPosix
import TestSupport
import Testing
import TunnelConfiguration

@testable import TunnelServer

/// A server that comes, moves and goes while callers connect without end.
@Suite(.timeLimit(.minutes(1))) struct ListenerMoveTests {
    @Test func aMoveToAnotherPortLosesNobody() async throws {
        try await ServerWorld.run { world in
            let (server, old) = try await world.startServer()
            let leaving = CallerLoad(port: old.port)
            try await leaving.answers(50)
            let new = try ServerWorld.bind()
            // The kernel queues them until the server comes.
            let coming = CallerLoad(port: new.port)
            try await server.listen(on: new)?.leave()
            #expect(server.address == new.address)
            try await coming.answers(50)
            let before = try await leaving.stop()
            // The old port is closed by now, and says so; nobody was let in and then turned away.
            let broken = before.failures.filter { !$0.contains("Connection refused") }
            #expect(broken.isEmpty && before.answers >= 50)
            #expect(throws: TestFailure.self) { try HTTPConnection(port: old.port) }
            let after = try await coming.stop()
            #expect(after.failures.isEmpty && after.answers >= 50)
        }
    }

    /// From one address to all addresses and back, on one port: there is no moment without a listener.
    @Test func aMoveOnTheSamePortIsNotNoticed() async throws {
        try await ServerWorld.run { world in
            let (server, first) = try await world.startServer()
            let port = first.port
            let load = CallerLoad(port: port)
            try await load.answers(20)
            var current = first
            for host in ["0.0.0.0", "127.0.0.1", "0.0.0.0", "127.0.0.1"] {
                let next = try ServerWorld.bind(host: host, port: port, besides: [current])
                try await server.listen(on: next)?.leave()
                current = next
                try await load.answers(50)
            }
            let result = try await load.stop()
            #expect(result.failures.isEmpty)
        }
    }

    @Test func aTakenPortIsSaidAndChangesNothing() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer()
            let taken = try ServerWorld.bind()
            let error = #expect(throws: ListenError.self) { try ServerWorld.bind(port: taken.port) }
            #expect(
                error?.description
                    == "servers[test]: cannot listen on 127.0.0.1:\(taken.port): the address is in use — is "
                    + "another wstunnel running? Stop it or choose another port")
            #expect(throws: ListenError.self) { try ServerWorld.bind(host: "0.0.0.0", port: taken.port) }
            #expect(server.address == socket.address)
            let port = socket.port
            try await onThread {
                let caller = try HTTPConnection(port: port)
                #expect(try caller.exchange("GET", "/_health_check").status == 200)
            }
        }
    }

    @Test func afterSocketsStoodBesideEachOtherThePortIsOursAlone() throws {
        let one = try ServerWorld.bind()
        let all = try ServerWorld.bind(host: "0.0.0.0", port: one.port, besides: [one])
        #expect(all.port == one.port)
        #expect(throws: ListenError.self) { try ServerWorld.bind(port: one.port) }
        #expect(throws: ListenError.self) { try ServerWorld.bind(host: "0.0.0.0", port: one.port) }
    }

    @Test func aSocketHandedFromServerToServerLosesNobody() async throws {
        try await ServerWorld.run { world in
            var (server, socket) = try await world.startServer()
            let load = CallerLoad(port: socket.port)
            for _ in 0..<5 {
                try await load.answers(50)
                let next = world.makeServer()
                try await next.listen(on: socket)?.leave()
                await server.drain()
                server = next
            }
            // The other order: for a moment nobody takes what the kernel queues.
            for _ in 0..<5 {
                try await load.answers(50)
                let next = world.makeServer()
                await server.drain(keepingSocket: true)
                try await next.listen(on: socket)?.leave()
                server = next
            }
            try await load.answers(50)
            let result = try await load.stop()
            #expect(result.failures.isEmpty)
        }
    }

    @Test func whoeverSharesThePortTakesOver() async throws {
        try await ServerWorld.run { world in
            let first = try ServerWorld.bind(reusePort: true)
            var server = world.makeServer()
            try await server.listen(on: first)?.leave()
            let load = CallerLoad(port: first.port)
            for _ in 0..<4 {
                try await load.answers(20)
                let next = world.makeServer()
                try await next.listen(on: try ServerWorld.bind(port: first.port, reusePort: true))?.leave()
                try await load.answers(20)
                await server.drain()
                server = next
            }
            try await load.answers(20)
            let result = try await load.stop()
            #expect(result.failures.isEmpty)
        }
    }

    /// Who stays is not where the kernel is told to send connections: they ask again after a second.
    @Test func theLatestToShareThePortMayLeaveToo() async throws {
        try await ServerWorld.run { world in
            let first = try ServerWorld.bind(reusePort: true)
            try await world.makeServer().listen(on: first)?.leave()
            let load = CallerLoad(port: first.port)
            try await load.answers(20)
            let next = world.makeServer()
            try await next.listen(on: try ServerWorld.bind(port: first.port, reusePort: true))?.leave()
            try await load.answers(20)
            await next.drain()
            try await load.answers(20)
            let result = try await load.stop()
            #expect(result.failures.isEmpty)
        }
    }

    /// Connections that nobody took yet when the listener leaves.
    @Test func theKernelsQueueIsEmptiedFirst() async throws {
        var limits = ListenerLimits()
        limits.handshakeTime = .zero
        try await ServerWorld.run(threads: 1) { world in
            let (server, old) = try await world.startServer(limits: limits)
            let new = try ServerWorld.bind()
            let isBusy = Gate()
            let mayGoOn = Gate()
            // While the event loop is held up, the kernel completes handshakes.
            world.group.next().execute {
                isBusy.open()
                try? mayGoOn.wait()
            }
            let callers = try await onThread {
                try isBusy.wait()
                return try (0..<20).map { _ in try HTTPConnection(port: old.port) }
            }
            async let moved: Void? = server.listen(on: new)?.leave()
            mayGoOn.open()
            try await moved
            try await onThread {
                for caller in callers {
                    let answer = try caller.exchange("GET", "/_health_check")
                    #expect(answer.status == 200)
                    // It came by the old listener.
                    #expect(answer.head["Connection"] == "close")
                }
            }
        }
    }

    @Test func callersOfTheOldListenerLeaveAfterTheirNextAnswerAndSessionsStay() async throws {
        try await ServerWorld.run { world in
            let (server, old) = try await world.startServer()
            let tunnel = try await world.connect(TestTokens.first, to: server)
            let caller = try await onThread {
                let caller = try HTTPConnection(port: old.port)
                let answer = try caller.exchange("GET", "/a", fields: TestTokens.firstField)
                #expect(answer.text == "/a" && answer.head["Connection"] == nil)
                return caller
            }
            let new = try ServerWorld.bind()
            try await server.listen(on: new)?.leave()
            try await onThread {
                let answer = try caller.exchange("GET", "/b", fields: TestTokens.firstField)
                #expect(answer.text == "/b" && answer.head["Connection"] == "close")
                #expect(caller.waitForEnd() == .closed)
                let other = try HTTPConnection(port: new.port)
                #expect(try other.exchange("GET", "/c", fields: TestTokens.firstField).text == "/c")
                #expect(try other.exchange("GET", "/d", fields: TestTokens.firstField).text == "/d")
            }
            #expect(throws: TestFailure.self) { try tunnel.ended.wait(within: .zero) }
        }
    }

    @Test func whoConnectedJustBeforeADrainIsServed() async throws {
        var limits = ListenerLimits()
        limits.connection.leaveTimeout = .seconds(20)
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer(limits: limits)
            let tunnel = try await world.connect(TestTokens.first, to: server)
            let caller = try await onThread { try HTTPConnection(port: socket.port) }
            while server.snapshot.callers < 1 { await Task.yield() }
            async let drained: Void = server.drain()
            while server.snapshot.state != .draining { await Task.yield() }
            try await onThread {
                let answer = try caller.exchange("GET", "/late", fields: TestTokens.firstField)
                #expect(answer.text == "/late" && answer.head["Connection"] == "close")
                try tunnel.ended.wait()
            }
            await drained
        }
    }

    /// Its head went out before the drain, and has promised that the connection may be used again.
    @Test func anAnswerThatHasPromisedToStayBringsOneMoreRequest() async throws {
        var limits = ListenerLimits()
        limits.connection.leaveTimeout = .seconds(20)
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer(limits: limits)
            let tunnel = try await world.connect(TestTokens.first, to: server)
            let caller = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                try caller.send("GET", "/hold-body", fields: TestTokens.firstField)
                #expect(try caller.readHead()["Connection"] == nil)
                return caller
            }
            async let drained: Void = server.drain()
            while server.snapshot.state != .draining { await Task.yield() }
            tunnel.answerHeld()
            try await onThread {
                #expect(try caller.socket.read(4) == Array("held".utf8))
                let answer = try caller.exchange("GET", "/late", fields: TestTokens.firstField)
                #expect(answer.text == "/late" && answer.head["Connection"] == "close")
                try tunnel.ended.wait()
            }
            await drained
        }
    }

    @Test func aDrainWaitsNoLongerThanItsTask() async throws {
        try await ServerWorld.run { world in
            let (server, socket) = try await world.startServer()
            let tunnel = try await world.connect(TestTokens.first, to: server)
            let caller = try await onThread {
                let caller = try HTTPConnection(port: socket.port)
                try caller.send("GET", "/hold", fields: TestTokens.firstField)
                try tunnel.held.wait(for: 1, within: .seconds(20), what: "the request")
                return caller
            }
            let draining = Task { await server.drain() }
            try await onThread { try tunnel.drained.wait() }
            draining.cancel()
            await draining.value
            tunnel.answerHeld()
            let answer = try await onThread { try caller.readResponse() }
            #expect(answer.text == "held")
        }
    }
}
