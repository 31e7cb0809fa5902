import Testing

@testable import TunnelProtocol

/// Two machines of protocol v1 against each other, in worlds that follow from their seeds.
@Suite struct MessageSimulationTests {
    private func world(_ seed: UInt64, isKind: Bool) -> MessageWorld {
        MessageWorld(seed: seed, budget: seed.isMultiple(of: 3) ? 5000 : 1 << 20, isKind: isKind)
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func everyByteArrivesOnceInOrderAndNothingLeaks(seed: UInt64) {
        let world = world(seed, isKind: true)
        for _ in 0..<4000 { world.step() }
        world.settle()
        world.checkEnds()
        #expect(world.whole == world.server.exchanges.count, "seed \(seed)")
        #expect(world.whole > 5, "seed \(seed): the world is too quiet to tell anything")
    }

    @Test(arguments: 100..<140 as Range<UInt64>) func streamsCutAtAnyMomentHarmNoOther(seed: UInt64) {
        let world = world(seed, isKind: false)
        for _ in 0..<4000 { world.step() }
        world.settle()
        world.checkEnds()
        #expect(world.server.exchanges.count > 5, "seed \(seed): the world is too quiet to tell anything")
        #expect(world.whole > 0, "seed \(seed): the world is too rude to tell anything")
    }

    @Test(arguments: 200..<220 as Range<UInt64>) func aDrainFinishesWhatWasBegunAndEnds(seed: UInt64) {
        let world = world(seed, isKind: true)
        for _ in 0..<2000 { world.step() }
        let isServers = seed.isMultiple(of: 2)
        if isServers {
            world.server.machine.drain(reason: "reload", now: world.now)
        } else {
            world.client.machine.drain(reason: "reload", now: world.now)
        }
        for _ in 0..<1000 { world.step() }
        world.settle()
        world.checkEnds()
        #expect(world.whole == world.server.exchanges.count, "seed \(seed)")
        let (server, client) = (world.server.machine.isDrained, world.client.machine.isDrained)
        #expect(server == isServers && client != isServers, "seed \(seed)")
    }

    @Test(arguments: 300..<310 as Range<UInt64>) func sessionsDroppedMidwayGiveTheirBudgetsBack(seed: UInt64)
    {
        let world = world(seed, isKind: false)
        for _ in 0..<2000 { world.step() }
        #expect(world.server.budget.most > 0)
        for end in [world.server, world.client] {
            end.machine.close()
            #expect(end.budget.taken == 0, "seed \(seed)")
        }
    }
}
