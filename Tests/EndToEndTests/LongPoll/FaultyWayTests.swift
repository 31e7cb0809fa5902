import TestSupport
import Testing

/// Everything, over ways on which much goes wrong, none of which callers may notice.
@Suite(.serialized)  // Each has hundreds of callers.
struct FaultyWayTests {
    /// A way over a relay, and what must have happened on it in the end.
    private static func way(
        _ description: String, isClean: Bool = false, silence: Duration? = nil, isForWebSockets: Bool = false,
        _ change: @escaping @Sendable (inout RelayFaults) -> Void,
        happened: @escaping @Sendable (RelayCounts) -> Bool = { _ in true }
    ) -> Way {
        Way(testDescription: description, isClean: isClean, silence: silence) { server in
            let relay = try FaultyRelay(to: server, RelayFaults(change))
            return Way.Opened(
                port: relay.port, between: [relay],
                check: { #expect(happened(relay.counts), "nothing went wrong on the way") })
        }
    }

    private static let life = Duration.seconds(LongPoll.isSlow ? 10 : 1)

    static let ways = [
        way(
            "connections are cut", silence: life + .seconds(2), { $0.cutAfter = life },
            happened: { $0.cut.value > 0 }),
        way("answers get lost", { $0.lostAnswer = 20 }, happened: { $0.lost.value > 0 }),
        way(
            "requests come twice and out of order",
            {
                $0.repeatedRequest = 5
                $0.overtakenRequest = 3
            }, happened: { $0.repeated.value > 0 && $0.overtaken.value > 0 }),
        way(
            "all of it at once",
            {
                $0.cutAfter = life
                $0.lostAnswer = 20
                $0.repeatedRequest = 10
                $0.overtakenRequest = 10
            }, happened: { $0.cut.value > 0 && $0.lost.value > 0 && $0.repeated.value > 0 }),
    ]

    /// What a WebSocket bears too.
    static let narrowWays = [
        way("the first KiB of an answer is held back", { $0.heldBytes = 1024 }),
        way("one connection at a time", { $0.isOneAtATime = true }),
    ]

    @Test(.timeLimit(.minutes(LongPoll.minutes)), .enabled(if: LongPoll.isPolled), arguments: ways)
    func aTunnelCarriesEverything(way: Way) throws {
        try CarriedTunnel.expectToCarryEverything(over: way)
    }

    @Test(.timeLimit(.minutes(LongPoll.minutes)), arguments: narrowWays)
    func aTunnelCarriesEverythingOverANarrowWay(way: Way) throws {
        try CarriedTunnel.expectToCarryEverything(over: way)
    }
}
