import Routing
import Testing
import TunnelProtocol

/// Which tokens are not served, and for how long.
@Suite struct TokenBlockListTests {
    private let start = MonotonicInstant(nanoseconds: 1_000)

    private func block(_ hint: String = "12345678...", _ tag: String = "aa", end: MonotonicInstant? = nil)
        -> TokenBlockList.Block
    {
        TokenBlockList.Block(hint: hint, tag: tag, since: 1, end: end, by: "user 0")
    }

    @Test func aBlockEndsWithItsTimeOrWhenItIsLifted() {
        var list = TokenBlockList()
        let end = start.advanced(by: .seconds(10))
        let areIn = [list.add(block(end: end), [1], now: start), list.add(block(), [2], now: start)]
        #expect(areIn == [true, true])
        #expect(list.contains([1], now: start) && list.contains([2], now: start))
        #expect(!list.contains([3], now: start))
        #expect(!list.contains([1], now: end) && list.contains([2], now: end))
        #expect(list.all(now: end).map(\.digest) == [[2]])
        #expect(list.count(now: start) == 2 && list.count(now: end) == 1)
        let (late, timely) = (list.lift([1], now: end), list.lift([2], now: end))
        #expect(!late && timely, "the first one is over")
        #expect(!list.contains([2], now: end) && list.isEmpty)
    }

    @Test func thoseThatAreShownSoAreLifted() {
        var list = TokenBlockList()
        for (digest, tag) in [([UInt8(1)], "aa"), ([2], "bb"), ([3], "aa")] {
            let isIn = list.add(block("12345678...", tag), digest, now: start)
            #expect(isIn)
        }
        var counts = [list.lift(hint: "other", tag: "aa", now: start)]
        counts.append(list.lift(hint: "12345678...", tag: "aa", now: start))
        #expect(list.contains([2], now: start))
        counts.append(list.lift(hint: nil, tag: nil, now: start))
        #expect(counts == [0, 2, 1])
    }

    @Test func thereIsRoomForSoManyAndThatOfThoseThatAreOver() {
        var list = TokenBlockList()
        let end = start.advanced(by: .seconds(10))
        for number in 0..<TokenBlockList.most {
            let digest = [UInt8(number >> 8), UInt8(number & 0xff)]
            let isIn = list.add(block(end: number == 0 ? end : nil), digest, now: start)
            #expect(isIn)
        }
        var areIn = [list.add(block(), [1, 2, 3], now: start)]
        // One that is blocked already.
        areIn.append(list.add(block("other"), [0, 5], now: start))
        areIn.append(list.add(block(), [1, 2, 3], now: end))
        areIn.append(list.add(block(), [1, 2, 4], now: end))
        #expect(areIn == [false, true, true, false])
    }
}
