import TestSupport
import Testing

@testable import Routing

/// Who waits for a session, in order, some leaving.
@Suite struct WaitingLineTests {
    @Test func theFirstIsTheOldestWhoHasNotLeft() {
        var line = WaitingLine<String>()
        #expect(line.isEmpty && line.first == nil)
        for (id, name) in [(2, "a"), (5, "b"), (6, "c"), (9, "d")] as [(UInt64, String)] {
            line.append(id, loop: Int(id), name)
        }
        let (left, leftTwice) = (line.remove(5), line.remove(5))
        #expect(left == "b" && leftTwice == nil)
        #expect(line.count == 3)
        #expect(line.first?.request == "a" && line.first?.loop == 2)
        line.removeFirst()
        #expect(line.first?.request == "c")
        let firstLeft = line.remove(6)
        #expect(firstLeft == "c")
        #expect(line.first?.request == "d")
        line.removeFirst()
        #expect(line.isEmpty && line.first == nil)
        line.removeFirst()
        let unknown = line.remove(9)
        #expect(unknown == nil && line.count == 0)
    }

    @Test(arguments: 0..<20 as Range<UInt64>) func itActsAsAnArray(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var line = WaitingLine<UInt64>()
        var expected: [UInt64] = []
        var last: UInt64 = 0
        for _ in 0..<2000 {
            switch UInt8.random(in: 0..<8, using: &random) {
            case 0...3:
                last += UInt64.random(in: 1...3, using: &random)
                line.append(last, loop: 0, last)
                expected.append(last)
            case 4:
                line.removeFirst()
                if !expected.isEmpty { expected.removeFirst() }
            default:
                let id = UInt64.random(in: 0...last + 1, using: &random)
                let index = expected.firstIndex(of: id)
                if let index { expected.remove(at: index) }
                let left = line.remove(id)
                #expect(left == (index == nil ? nil : id), "seed \(seed)")
            }
            #expect(line.count == expected.count, "seed \(seed)")
            #expect(line.first?.request == expected.first, "seed \(seed)")
        }
    }
}
