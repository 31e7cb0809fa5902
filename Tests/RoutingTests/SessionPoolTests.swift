import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// Which session of a token gets the next stream, and what it costs to find that out.
@Suite struct SessionPoolTests {
    private typealias Pool = SessionPool

    /// A session as the rules have it, all looked at one after another.
    private struct Model {
        let member: Pool.Member
        let place: Int
        var openStreams = 0
        var isDraining = false
        var isOccupied = false
        var lastTurn: UInt64 = 0

        func rank(_ loop: Int) -> (Int, Int, UInt64) {
            let hop = member.loop == loop ? 0 : 1
            let delay = isOccupied ? 4 : member.isSerial && openStreams > 0 ? 2 + hop : hop
            return (delay, openStreams, lastTurn)
        }
    }

    private static func member(_ id: UInt64, loop: Int, capacity: Int, isSerial: Bool) -> Pool.Member {
        Pool.Member(
            id: id, session: Int(id), loop: loop, capacity: capacity,
            client: ClientIdentity(process: "p", slot: Int(id)), isSerial: isSerial)
    }

    /// The lines find whom a look at every session finds, whatever has happened.
    @Test(arguments: 0..<20) func theFirstOfALineIsTheBestOfAll(_ seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var pool = Pool()
        var turns: UInt64 = 0
        var models: [UInt64: Model] = [:]
        var last: UInt64 = 0
        for _ in 0..<3000 {
            let id = models.keys.sorted().randomElement(using: &random)
            switch UInt8.random(in: 0..<16, using: &random) {
            case 0...1 where models.count < 40:
                last += 1
                let member = Self.member(
                    last, loop: Int.random(in: 0..<3, using: &random),
                    capacity: Int.random(in: 0..<6, using: &random),
                    isSerial: Bool.random(using: &random))
                models[last] = Model(member: member, place: pool.join(member))
            case 2:
                guard let id, let model = models.removeValue(forKey: id) else { continue }
                #expect(pool.leave(model.place)?.id == id, "seed \(seed)")
            case 3:
                guard let id, let model = models[id], UInt8.random(in: 0..<3, using: &random) == 0 else {
                    continue
                }
                models[id]?.isDraining = true
                #expect(pool.drain(model.place) == Int(id), "seed \(seed)")
            case 4...5:
                guard let id, let model = models[id] else { continue }
                models[id]?.isOccupied.toggle()
                pool.setOccupied(model.place, !model.isOccupied)
            case 6...9:
                guard let id, let model = models[id], model.openStreams > 0 else { continue }
                models[id]?.openStreams -= 1
                pool.streamEnded(model.place)
            default:
                let loop = Int.random(in: 0..<4, using: &random)
                let free = models.values.filter { !$0.isDraining && $0.openStreams < $0.member.capacity }
                let taken = pool.takeTurn(loop, &turns)?.id
                let best = free.map { $0.rank(loop) }.min { $0 < $1 }
                let rank = taken.flatMap { models[$0]?.rank(loop) }
                #expect((taken == nil) == free.isEmpty, "seed \(seed)")
                if let best, let rank { #expect(best == rank, "seed \(seed)") }
                if let taken {
                    models[taken]?.openStreams += 1
                    models[taken]?.lastTurn = turns
                }
            }
            #expect(pool.count == models.count && pool.all.count == models.count, "seed \(seed)")
            #expect(pool.openStreams == models.values.reduce(0) { $0 + $1.openStreams }, "seed \(seed)")
            #expect(pool.isUp == models.values.contains { !$0.isDraining }, "seed \(seed)")
            let perLoop = (0..<3).map { loop in
                models.values.count { $0.member.loop == loop && !$0.isDraining }
            }
            #expect(pool.sessionsPerLoop(3) == perLoop, "seed \(seed)")
        }
    }

    @Test func someOfTheSessionsAreOthersEachTime() {
        var pool = Pool()
        for id in 0..<10 as Range<UInt64> {
            _ = pool.join(Self.member(id, loop: 0, capacity: 1, isSerial: false))
        }
        let told = (0..<5).flatMap { _ in pool.some(2).map(\.id) }
        #expect(Set(told).count == 10)
        #expect(Set(pool.some(100).map(\.id)).count == 10)
    }

    @Test func someAreFoundThoughACrowdHasLeft() {
        var pool = Pool()
        let places = (0..<500 as Range<UInt64>).map {
            pool.join(Self.member($0, loop: 0, capacity: 1, isSerial: false))
        }
        for place in places.dropLast(20) { _ = pool.leave(place) }
        #expect(Set(pool.some(64).map(\.id)) == Set(480..<500))
        #expect(pool.some(5).count == 5)
    }

    /// Were any of it in proportion to the sessions that are there, this would take many minutes.
    @Test(.timeLimit(.minutes(1))) func tensOfThousandsOfSessionsOfOneTokenCostNoMoreEachThanOne() throws {
        let token = try RendezvousToken("table-test-token-1")
        let start = MonotonicInstant(nanoseconds: 1)
        var table = TokenTable(maximumWaiting: 3, maximumClients: 100_000)
        let count: UInt64 = 40_000
        for id in 0..<count {
            var member = Self.member(id, loop: Int(id % 2), capacity: 8000, isSerial: true)
            member.client = ClientIdentity(process: "connection-\(id)", slot: 0)
            #expect(table.admits(token, member.client) == .admitted)
            _ = table.join(token, member, now: start)
            _ = table.sessionsPerLoop(token, loops: 2)
        }
        for _ in 0..<count {
            guard case .send(let id, _) = table.request(token, loop: 0, now: start, request: { 0 }) else {
                Issue.record("not served")
                return
            }
            table.setOccupied(id, true)
            table.setOccupied(id, false)
            _ = table.streamEnded(id)
        }
        for id in 0..<count {
            if id % 2 == 0 { table.drain(id) }
            table.leave(id, now: start)
        }
        #expect(table.load.tunnels == 0 && table.tokenCount == 1)
    }
}
