import Testing

@testable import HostSystem

/// Who may do how much in a turn of the event loop.
@Suite struct TurnAllowanceTests {
    private typealias Allowance = TurnAllowance<String>

    @Test func theFirstMayDoAllAndThenEachALittle() {
        var allowance = Allowance()
        #expect(allowance.share == Allowance.perTurn)
        allowance.spend(Allowance.perTurn - 1000)
        #expect(allowance.share == 1000)
        allowance.spend(5000)
        #expect(allowance.share == Allowance.least, "who sends little waits for nobody")
        allowance.begin()
        #expect(allowance.share == Allowance.perTurn)
    }

    @Test func whoSendsMuchWaitsBehindThoseInLine() {
        var allowance = Allowance()
        allowance.wait("a")
        #expect(allowance.isAnyoneInLine)
        #expect(allowance.share == Allowance.least)
    }

    @Test func theLineMovesInFairSharesAndNeverDoesMoreThanATurn() {
        var allowance = Allowance()
        for name in ["a", "b", "c", "d", "e", "f"] { allowance.wait(name) }
        var done: [String: Int] = [:]
        for _ in 0..<300 {
            allowance.begin()
            var inTurn = 0
            while let (name, share) = allowance.next() {
                allowance.spend(share)
                inTurn += share
                done[name, default: 0] += share
                allowance.wait(name)
            }
            #expect(inTurn == Allowance.perTurn)
        }
        #expect(Set(done.values) == [300 * Allowance.perTurn / 6])
    }

    @Test func whoIsAloneInLineHasAllOfATurn() {
        var allowance = Allowance()
        allowance.wait("a")
        let (first, second) = (allowance.next(), allowance.next())
        #expect(first?.share == Allowance.perTurn && second == nil)
        #expect(!allowance.isAnyoneInLine)
    }

    /// What is not counted soon adds up over turns in which nobody had much to do.
    @Test func aTurnEndsBeforeMuchIsUsedUp() {
        var allowance = Allowance()
        allowance.spend(Allowance.perTurn / 2)
        #expect(!allowance.isLow)
        allowance.spend(1)
        #expect(allowance.isLow)
    }
}
