import AgentStatus
import TestSupport
import Testing
import TunnelConfiguration
import TunnelServer

@testable import TunnelClient

/// A tunnel client that is paused and resumed, and sessions of it that are ended.
@Suite(.timeLimit(.minutes(1))) struct TunnelPauseTests {
    @Test func whatIsInFlightIsFinishedAndNothingIsDialled() async throws {
        let gate = Gate()
        let origin = try namedOrigin("origin", gate)
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration(origin: origin.port))
            let run = Task { await client.run() }
            #expect(await client.untilUp() == .up)
            let slow = try await world.begin("/slow")
            client.pause()
            #expect(client.snapshot.state == .paused)
            gate.open()
            #expect(try await world.rest(of: slow, length: 10) == "firstlater")
            await world.untilSessions(0)
            #expect(client.snapshot.state == .paused)
            client.resume()
            await world.untilSessions(1)
            #expect(try await world.get().text == "origin")
            #expect(client.snapshot.lastFault == nil)
            run.cancel()
            #expect(await run.value == .stopped)
        }
    }

    /// A dial under way is given up, and is no failed one.
    @Test func aDialUnderWayIsGivenUpAndTheTunnelDoesNotGiveUp() async throws {
        let dials = WaitableCounter()
        let silent = try ScriptedOrigin { connection in
            dials.add(1)
            _ = connection.waitForEnd()
        }
        try await TunnelWorld.run { world in
            var configuration = try world.configuration(to: silent.port)
            configuration.maxRetries = 1
            let client = try world.makeClient(configuration)
            let run = Task { await client.run() }
            try await onThread { try dials.wait(for: 1, within: .seconds(20), what: "a dial") }
            client.pause()
            client.resume()
            try await onThread { try dials.wait(for: 2, within: .seconds(20), what: "another dial") }
            #expect(client.snapshot.state == .connecting && client.snapshot.lastFault == nil)
            run.cancel()
            #expect(await run.value == .stopped)
        }
    }

    @Test func oneThatIsPausedFromTheBeginningDialsWhenItIsResumed() async throws {
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration())
            client.pause()
            let run = Task { await client.run() }
            #expect(client.snapshot.state == .paused)
            client.resume()
            #expect(await client.untilUp() == .up)
            run.cancel()
            #expect(await run.value == .stopped)
        }
    }

    @Test(arguments: [false, true]) func onePausedEndsAtOnceWhenItIsToldTo(isRetired: Bool) async throws {
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration())
            client.pause()
            let run = Task { await client.run() }
            if isRetired { client.retire() } else { run.cancel() }
            #expect(await run.value == .stopped)
        }
    }

    @Test(arguments: [false, true]) func aSessionThatIsEndedIsReplaced(isCut: Bool) async throws {
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration())
            let run = Task { await client.run() }
            #expect(await client.untilUp() == .up)
            let id = try #require(client.snapshot.connections.first?.id)
            #expect(!client.end(session: id + 1_000_000, isCut: isCut))
            #expect(client.end(session: id, isCut: isCut))
            while client.snapshot.connections.map(\.id).allSatisfy({ $0 == id }) { await Task.yield() }
            #expect(try await world.get().status == 200)
            run.cancel()
            #expect(await run.value == .stopped)
        }
    }
}

extension TunnelWorld {
    /// Waits until the server has so many.
    fileprivate func untilSessions(_ count: Int) async {
        while server.snapshot.sessions != count { await Task.yield() }
    }
}
