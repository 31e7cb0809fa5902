import AgentStatus
import Foundation
import Observability
import TestSupport
import Testing
import TunnelConfiguration
import TunnelServer

@testable import TunnelClient

/// One tunnel client takes the place of another.
@Suite(.timeLimit(.minutes(1))) struct TunnelReplacementTests {
    @Test func theSuccessorIsUpBeforeTheOldOneLeaves() async throws {
        let gate = Gate()
        let old = try namedOrigin("old", gate)
        let new = try namedOrigin("new")
        try await TunnelWorld.run(maxClients: 1) { world in
            let first = try world.makeClient(try world.configuration(origin: old.port))
            let firstRun = Task { await first.run() }
            #expect(await first.untilUp() == .up)
            let slow = try await world.begin("/slow")

            var configuration = try world.configuration(origin: new.port)
            configuration.connections = 2
            let second = try world.makeClient(configuration, succeeding: first)
            let secondRun = Task { await second.run() }
            // The server counts both as one client, or there would be no room.
            #expect(await second.untilUp() == .up)
            #expect(first.snapshot.connections.count == 1)
            #expect(first.snapshot.lastFault == nil)
            first.retire()
            firstRun.cancel()
            for _ in 0..<20 { #expect(try await world.get().status == 200) }
            #expect(first.snapshot.state == .draining)
            gate.open()
            #expect(try await world.rest(of: slow, length: 10) == "firstlater")
            #expect(await firstRun.value == .stopped)
            #expect(first.snapshot.connections == [])
            #expect(try await world.get().text == "new")
            // What was carried goes on from where the old one was.
            #expect(await second.measures().requests.began == 22)
            secondRun.cancel()
            #expect(await secondRun.value == .stopped)
        }
    }

    @Test func aClientThatIsNoSuccessorFindsNoRoomUntilTheOldOneLeft() async throws {
        try await TunnelWorld.run(maxClients: 1) { world in
            let first = try world.makeClient(try world.configuration())
            let firstRun = Task { await first.run() }
            #expect(await first.untilUp() == .up)
            let second = try world.makeClient(try world.configuration())
            let secondRun = Task { await second.run() }
            #expect(await second.untilUp() == .noRoom)
            firstRun.cancel()
            #expect(await firstRun.value == .stopped)
            second.retryNow()
            #expect(await second.untilUp() == .up)
            #expect(try await world.get().status == 200)
            secondRun.cancel()
            #expect(await secondRun.value == .stopped)
        }
    }

    @Test func aSuccessorOnTheSameOnlyPortFindsNoRoomUntilTheOldOneLeft() async throws {
        let port = try freePort()
        try await TunnelWorld.run { world in
            var configuration = try world.configuration()
            configuration.clientPorts = [port...port]
            let first = try world.makeClient(configuration)
            let firstRun = Task { await first.run() }
            #expect(await first.untilUp() == .up)
            let second = try world.makeClient(configuration, succeeding: first)
            let secondRun = Task { await second.run() }
            #expect(await second.untilUp() == .noRoom)
            #expect(second.snapshot.lastFault?.code == "no-client-port")
            firstRun.cancel()
            #expect(await firstRun.value == .stopped)
            second.retryNow()
            #expect(await second.untilUp() == .up)
            secondRun.cancel()
            #expect(await secondRun.value == .stopped)
        }
    }

    @Test func aThrottledClientIsNotSentAwayForWantOfRoom() async throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.respond(429, text: "Too many failed authentications from this address\n")
            _ = connection.waitForEnd()
        }
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration(to: server.port))
            async let end = client.run()
            try await onThread { try server.waitForEnds(1) }
            client.retire()
            #expect(await end == .stopped)
            #expect(await client.untilUp() == .ended)
        }
    }

    @Test func aWaiterThatIsCancelledReturns() async throws {
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration())
            let waiter = Task { await client.untilUp() }
            waiter.cancel()
            #expect(await waiter.value == .ended)
        }
    }

    // MARK: Retiring

    @Test func aRetiredClientDialsNothing() async throws {
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration())
            client.retire()
            #expect(await client.run() == .stopped)
            #expect(await client.untilUp() == .ended)
            #expect(client.snapshot.state == .draining)
        }
    }

    @Test func aRetiredClientGivesUpADialThatIsUnderWay() async throws {
        let server = try ScriptedOrigin { connection in _ = connection.waitForEnd() }
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration(to: server.port))
            async let end = client.run()
            try await onThread { try server.waitForConnections(1) }
            let started = ContinuousClock.now
            client.retire()
            #expect(await end == .stopped)
            // A dial has 10 seconds.
            #expect(.now - started < .seconds(5))
            try await onThread { try server.waitForEnds(1) }
        }
    }

    @Test(arguments: [1, nil]) func aRetiredClientServesUntilItsSessionsEnd(connections: Int?) async throws {
        try await TunnelWorld.run { world in
            var configuration = try world.configuration()
            configuration.connections = connections
            let client = try world.makeClient(configuration)
            async let end = client.run()
            #expect(await client.untilUp() == .up)
            client.retire()
            #expect(try await world.get().status == 200)
            #expect(client.snapshot.state == .draining)
            await world.server.drain()
            #expect(await end == .stopped)
            #expect(client.snapshot.connections == [])
        }
    }

    // MARK: What it tells

    @Test func aSnapshotTellsWhatTheTunnelDoes() async throws {
        let origin = try ScriptedOrigin.echo()
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration(origin: origin.port))
            let before = client.snapshot
            #expect(before.state == .connecting)
            #expect(before.connections == [] && before.wanted == 1)
            #expect(before.name == "web")
            #expect(before.server == "ws://127.0.0.1:\(world.port)")
            let run = Task { await client.run() }
            #expect(await client.untilUp() == .up)
            let body = [UInt8](repeating: 7, count: 1000)
            _ = try await onThread { [port = world.port] in
                try HTTPConnection(port: port).exchange(
                    "POST", "/", fields: [("X-Token", TunnelWorld.token)], body: body)
            }
            let measures = await client.measures()
            #expect(measures.requests.statusClasses[2] == 1 && measures.requests.originAnswers == 1)
            #expect(measures.inFlight == 0 && measures.sessions == 1 && measures.wanted == 1)
            #expect(measures.originConnectionsBusy == 0 && measures.originWaiting == 0)
            #expect(measures.roundTrip.count > 0 && measures.sessionEnds.isEmpty)
            let during = client.snapshot
            #expect(during.state == .connected)
            #expect(
                during.traffic == TrafficSnapshot(requests: 1, requestBytes: 1000, responseBytes: 1000))
            let connection = try #require(during.connections.first)
            #expect(connection.protocolVersion == 2 && !connection.isDraining)
            #expect(abs(connection.since - Int(Date().timeIntervalSince1970)) < 60)
            run.cancel()
            #expect(await run.value == .stopped)
            #expect(client.snapshot.state == .draining)
            #expect(client.snapshot.lastFault == nil)
        }
    }

    // MARK: Leaks

    /// Connections to or from a port, by the kernel's table.
    private static func connections(ofPort port: Int) throws -> Int {
        let hexadecimal = ":" + String(format: "%04X", port)
        return try String(contentsOfFile: "/proc/self/net/tcp", encoding: .utf8).split(separator: "\n")
            .count { line in
                let fields = line.split(separator: " ")
                return fields.count > 3 && fields[3] == "01"
                    && (fields[1].hasSuffix(hexadecimal) || fields[2].hasSuffix(hexadecimal))
            }
    }

    private struct Weak: @unchecked Sendable {
        // Only looked at when nothing else runs.
        weak var client: TunnelClient?
    }

    @Test func aHundredReplacementsLeaveNothingBehind() async throws {
        let origin = try namedOrigin("origin")
        try await TunnelWorld.run(maxClients: 1, loops: 1) { world in
            var past: [Weak] = []
            var current = try world.makeClient(try world.configuration(origin: origin.port))
            var run = Task { [current] in await current.run() }
            #expect(await current.untilUp() == .up)
            for _ in 0..<100 {
                let next = try world.makeClient(
                    try world.configuration(origin: origin.port), succeeding: current)
                let nextRun = Task { await next.run() }
                #expect(await next.untilUp() == .up)
                current.retire()
                run.cancel()
                #expect(try await world.get().text == "origin")
                #expect(await run.value == .stopped)
                past.append(Weak(client: current))
                current = next
                run = nextRun
            }
            #expect(await current.measures().requests.began == 100)
            #expect(past.count { $0.client != nil } == 0)
            // Both ends of the session that is left; the callers close theirs.
            #expect(try Self.connections(ofPort: world.port) <= 4)
            run.cancel()
            #expect(await run.value == .stopped)
        }
    }
}
