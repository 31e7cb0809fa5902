import Testing

@testable import TunnelProtocol

/// Two machines against each other, in worlds that follow from their seeds.
@Suite struct SessionSimulationTests {
    @Test(arguments: 0..<20 as Range<UInt64>) func everyByteArrivesOnceInOrderAndNothingLeaks(seed: UInt64) {
        let world = SessionWorld(seed: seed, budget: seed.isMultiple(of: 3) ? 5000 : 1 << 20)
        for _ in 0..<3000 { world.step(isKind: true) }
        world.settle()
        world.checkEnds()
        #expect(world.whole == world.server.exchanges.count, "seed \(seed)")
        #expect(world.whole > 5, "seed \(seed): the world is too quiet to tell anything")
    }

    @Test(arguments: 100..<130 as Range<UInt64>) func streamsCutAtAnyMomentHarmNoOther(seed: UInt64) {
        let world = SessionWorld(seed: seed, budget: seed.isMultiple(of: 3) ? 5000 : 1 << 20)
        for _ in 0..<3000 { world.step(isKind: false) }
        world.settle()
        world.checkEnds()
        #expect(world.server.exchanges.count > 5, "seed \(seed): the world is too quiet to tell anything")
    }

    @Test(arguments: 200..<220 as Range<UInt64>) func aDrainFinishesWhatWasBegunAndEnds(seed: UInt64) {
        let world = SessionWorld(seed: seed, budget: 1 << 20)
        for _ in 0..<1500 { world.step(isKind: true) }
        if seed.isMultiple(of: 2) {
            world.client.machine.drain(reason: "reload", now: world.now)
        } else {
            world.server.machine.drain(reason: "reload", now: world.now)
        }
        // Streams may still be opened until the server hears of it; none of those may be lost.
        for _ in 0..<1500 { world.step(isKind: true) }
        world.settle()
        world.checkEnds()
        #expect(world.whole == world.server.exchanges.count, "seed \(seed)")
        let (client, server) = (world.client.machine.isDrained, world.server.machine.isDrained)
        #expect(server, "seed \(seed)")
        #expect(client == seed.isMultiple(of: 2), "seed \(seed)")
    }

    @Test(arguments: 300..<310 as Range<UInt64>) func sessionsDroppedMidwayGiveTheirBudgetsBack(seed: UInt64)
    {
        let world = SessionWorld(seed: seed, budget: 1 << 20)
        for _ in 0..<1000 { world.step(isKind: false) }
        #expect(world.server.budget.most > 0)
        for end in [world.server, world.client] {
            end.machine.close()
            #expect(end.budget.taken == 0, "seed \(seed)")
        }
    }
}
