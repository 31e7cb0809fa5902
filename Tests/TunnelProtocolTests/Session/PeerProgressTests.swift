import Testing
import TunnelProtocol

/// What acknowledged bytes tell of a peer.
@Suite struct PeerProgressTests {
    private let start = MonotonicInstant(nanoseconds: 1_000_000_000)

    /// What is found each time that so much is acknowledged.
    private func findings(_ looks: [(acknowledged: UInt64, isWaiting: Bool, second: Int)])
        -> [PeerProgress.Finding]
    {
        var progress = PeerProgress()
        return looks.map {
            progress.observe(acknowledged: $0.acknowledged, isWaiting: $0.isWaiting, now: at($0.second))
        }
    }

    private func at(_ seconds: Int) -> MonotonicInstant { start.advanced(by: .seconds(seconds)) }

    @Test func aPeerThatTakesALittleNowAndThenIsAlive() {
        let found = findings((0..<100).map { (UInt64($0), true, $0) })
        #expect(found.allSatisfy { $0 == .moving })
    }

    @Test func theTimeOfAStandstillIsFromTheLastByteThatWasTaken() {
        let found = findings([(10, true, 0), (10, true, 1), (11, true, 2), (11, true, 9)])
        #expect(found == [.moving, .standing(.seconds(1)), .moving, .standing(.seconds(7))])
    }

    @Test func whoHasTakenEverythingDoesNotStandStill() {
        let found = findings([(10, false, 0), (10, false, 99), (10, true, 100), (10, true, 101)])
        #expect(found == [.nothingWaits, .nothingWaits, .standing(.zero), .standing(.seconds(1))])
    }

    /// An acknowledged ping says nothing of the program behind it: nothing waits then, and only its answer counts.
    @Test func thatAllHasArrivedIsNoSignOfLife() {
        let found = findings((0..<10).map { (UInt64(20 * $0), false, 10 * $0) })
        #expect(found.allSatisfy { $0 == .nothingWaits })
    }
}
