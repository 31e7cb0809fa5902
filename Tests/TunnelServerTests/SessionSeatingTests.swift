import Routing
import Testing

@testable import TunnelServer

/// Which event loop a new session goes to.
@Suite struct SessionSeatingTests {
    @Test(arguments: [
        ([0], 0, 0), ([0, 0], 1, 1), ([1, 0], 0, 1), ([1, 0], 1, 1), ([2, 1, 1], 0, 1), ([2, 1, 1], 2, 2),
        ([], 0, 0),
        ([1, 1], 5, 5),
    ])
    func theEmptiestLoopIsTakenAndTheOwnOneAmongEquals(_ counts: [Int], _ current: Int, _ expected: Int) {
        #expect(SessionSeating.choose(counts: counts, current: current) == expected)
    }

    @Test func whoSitsBadlyIsAskedToDialAgainAFewTimes() {
        var redials = Redials()
        let one = ClientIdentity(process: "a", slot: 0)
        let other = ClientIdentity(process: "a", slot: 1)
        let asked = (0..<5).map { _ in redials.asks(one, isWellSeated: false) }
        #expect(asked == [true, true, true, false, true])
        let askedOther = [redials.asks(other, isWellSeated: false), redials.asks(other, isWellSeated: true)]
        #expect(askedOther == [true, false])
    }
}
