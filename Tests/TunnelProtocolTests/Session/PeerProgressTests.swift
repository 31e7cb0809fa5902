import Testing
import TunnelProtocol

/// What acknowledged bytes tell of a peer.
@Suite struct PeerProgressTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    /// What is found each time that so much is acknowledged, and so much waits.
    private func findings(_ looks: [(acknowledged: UInt64, waiting: Int, second: Int)]) -> [PeerProgress
        .Finding]
    {
        var progress = PeerProgress()
        return looks.map {
            progress.observe(
                acknowledged: $0.acknowledged, waiting: $0.waiting, hasMore: false, now: at($0.second))
        }
    }

    private func at(_ seconds: Int) -> MonotonicInstant { start.advanced(by: .seconds(seconds)) }

    @Test func aPeerThatTakesALittleNowAndThenIsAlive() {
        let found = findings((0..<100).map { (UInt64($0), 500, $0) })
        #expect(found.dropFirst().allSatisfy { $0 == .moving })
    }

    @Test func theTimeOfAStandstillIsFromTheLastByteThatWasTaken() {
        let found = findings([(10, 50, 0), (10, 50, 1), (11, 49, 2), (11, 49, 9)])
        #expect(found == [.standing(.zero), .standing(.seconds(1)), .moving, .standing(.seconds(7))])
    }

    @Test func whoHasTakenEverythingDoesNotStandStill() {
        let found = findings([(10, 0, 0), (10, 0, 99), (10, 5, 100), (10, 5, 101)])
        #expect(found == [.nothingWaits, .nothingWaits, .standing(.zero), .standing(.seconds(1))])
    }

    /// An acknowledged ping says nothing of the program behind it: nothing waits then, and only its answer counts.
    @Test func thatAllHasArrivedIsNoSignOfLife() {
        let found = findings((0..<10).map { (UInt64(20 * $0), 0, 10 * $0) })
        #expect(found.allSatisfy { $0 == .nothingWaits })
    }

    /// A machine acknowledges for a program that hangs: when all has arrived that waited before, the ping has too.
    @Test func thatSomethingNewIsOnItsWayIsNoSignOfLife() {
        let found = findings((0..<10).map { (UInt64(1000 * $0), 200, $0) })
        #expect(found.allSatisfy { $0 == .standing(.zero) })
    }

    @Test func whatWasNotEvenGivenToTheConnectionWaitsToo() {
        var progress = PeerProgress()
        #expect(progress.observe(acknowledged: 5, waiting: 0, hasMore: true, now: at(0)) == .standing(.zero))
        let later = progress.observe(acknowledged: 5, waiting: 0, hasMore: true, now: at(4))
        #expect(later == .standing(.seconds(4)))
    }
}
