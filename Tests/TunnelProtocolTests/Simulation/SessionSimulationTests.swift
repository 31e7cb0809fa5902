import Testing

@testable import TunnelProtocol

/// Two machines against each other, of either protocol, in worlds that follow from their seeds.
@Suite struct SessionSimulationTests {
    enum Version: CaseIterable {
        case v1, v2
    }

    private func run(
        _ version: Version, _ v1: (SessionWorld<SimulatedMessages>) -> Void,
        _ v2: (SessionWorld<SimulatedMux>) -> Void, seed: UInt64, budget: Int? = nil, isKind: Bool
    ) {
        let budget = budget ?? (seed.isMultiple(of: 3) ? 5000 : 1 << 20)
        switch version {
        case .v1: v1(SessionWorld(seed: seed, budget: budget, isKind: isKind))
        case .v2: v2(SessionWorld(seed: seed, budget: budget, isKind: isKind))
        }
    }

    @Test(arguments: Version.allCases, 0..<20 as Range<UInt64>)
    func everyByteArrivesOnceInOrderAndNothingLeaks(_ version: Version, seed: UInt64) {
        func check(_ world: SessionWorld<some SimulatedProtocol>) {
            world.steps(4000)
            world.settle()
            world.checkEnds()
            #expect(world.whole == world.server.exchanges.count, "seed \(seed)")
            #expect(world.whole > 5, "seed \(seed): the world is too quiet to tell anything")
        }
        run(version, check, check, seed: seed, isKind: true)
    }

    @Test(arguments: Version.allCases, 100..<140 as Range<UInt64>)
    func streamsCutAtAnyMomentHarmNoOther(_ version: Version, seed: UInt64) {
        func check(_ world: SessionWorld<some SimulatedProtocol>) {
            world.steps(4000)
            world.settle()
            world.checkEnds()
            #expect(
                world.server.exchanges.count > 5, "seed \(seed): the world is too quiet to tell anything")
            #expect(world.whole > 0, "seed \(seed): the world is too rude to tell anything")
        }
        run(version, check, check, seed: seed, isKind: false)
    }

    @Test(arguments: Version.allCases, 200..<220 as Range<UInt64>)
    func aDrainFinishesWhatWasBegunAndEnds(_ version: Version, seed: UInt64) {
        func check<Tested>(_ world: SessionWorld<Tested>) {
            world.steps(2000)
            let isClients = seed.isMultiple(of: 2)
            (isClients ? world.client : world.server).machine.drain(reason: "reload", now: world.now)
            // Streams may still be opened until the server hears of it; none of those may be lost.
            world.steps(1500)
            world.settle()
            world.checkEnds()
            #expect(world.whole == world.server.exchanges.count, "seed \(seed)")
            let (client, server) = (world.client.machine.isDrained, world.server.machine.isDrained)
            #expect(server == (Tested.promises.tellsOfDrain || !isClients), "seed \(seed)")
            #expect(client == isClients, "seed \(seed)")
        }
        run(version, check, check, seed: seed, budget: version == .v2 ? 1 << 20 : nil, isKind: true)
    }

    @Test(arguments: Version.allCases, 300..<310 as Range<UInt64>)
    func sessionsDroppedMidwayGiveTheirBudgetsBack(_ version: Version, seed: UInt64) {
        func check(_ world: SessionWorld<some SimulatedProtocol>) {
            world.steps(2000)
            #expect(world.server.budget.most > 0)
            for end in [world.server, world.client] {
                end.machine.close()
                #expect(end.budget.taken == 0, "seed \(seed)")
            }
        }
        run(version, check, check, seed: seed, budget: version == .v2 ? 1 << 20 : nil, isKind: false)
    }
}
