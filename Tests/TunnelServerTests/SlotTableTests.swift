import TestSupport
import Testing

@testable import TunnelServer

/// Values under small numbers.
@Suite struct SlotTableTests {
    @Test(arguments: 0..<10 as Range<UInt64>) func itActsAsADictionary(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var table = SlotTable<Int>()
        var expected: [Int: Int] = [:]
        var most = 0
        for value in 0..<1000 {
            if Bool.random(using: &random) || expected.isEmpty {
                let slot = table.insert(value)
                #expect(expected.updateValue(value, forKey: slot) == nil, "seed \(seed): a number in use")
                most = max(most, expected.count)
                #expect(slot < most, "seed \(seed): numbers stay small")
            } else if let slot = expected.keys.sorted().randomElement(using: &random) {
                let removed = table.remove(slot)
                #expect(removed == expected.removeValue(forKey: slot), "seed \(seed)")
            }
            let slot = Int.random(in: 0..<200, using: &random)
            #expect(table[slot] == expected[slot], "seed \(seed)")
        }
    }

    @Test func whatHasLeftIsGone() {
        var table = SlotTable<String>()
        let slot = table.insert("a")
        let (first, second) = (table.remove(slot), table.remove(slot))
        #expect(first == "a" && second == nil && table[slot] == nil)
        #expect(table[7] == nil)
    }
}
