import AgentStatus
import Testing
import TunnelProtocol

@testable import TunnelClient

/// Connections that wait for their turn to dial, and clients that are stopped at the wrong moment.
@Suite(.timeLimit(.minutes(1))) struct ConnectionKeeperTests {
    /// So many turns are taken that the next is due in some seconds.
    private static func busyPacer() -> DialPacer {
        let pacer = DialPacer()
        for _ in 0..<6000 { _ = pacer.turn() }
        return pacer
    }

    @Test func aClientThatIsStoppedBeforeItStartsEnds() async throws {
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration())
            client.stop()
            #expect(await client.run() == .stopped)
            #expect(client.lives.isEmpty && client.runningKeepers.isEmpty)
        }
    }

    @Test(arguments: [true, false]) func whatWaitsForItsTurnEndsAtOnce(isRetired: Bool) async throws {
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration(), pacer: Self.busyPacer())
            let started = ContinuousClock.now
            let end = await withCheckedContinuation { continuation in
                client.start { continuation.resume(returning: $0) }
                // It counts as one that is being dialled: others find room behind it.
                #expect(client.lives.count == 1 && !client.hasSession)
                if isRetired { client.retire() } else { client.stop() }
            }
            #expect(end == .stopped)
            #expect(.now - started < .seconds(2))
            #expect(client.lives.isEmpty)
        }
    }

    @Test func aPauseWhileItWaitsForItsTurnIsKept() async throws {
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration(), pacer: Self.busyPacer())
            let run = Task { await client.run() }
            while client.lives.isEmpty { await Task.yield() }
            client.pause()
            // Its turn comes, and it does not take it.
            while !client.lives.isEmpty { await Task.yield() }
            #expect(client.snapshot.state == .paused)
            client.resume()
            #expect(await client.untilUp() == .up)
            run.cancel()
            #expect(await run.value == .stopped)
        }
    }
}
