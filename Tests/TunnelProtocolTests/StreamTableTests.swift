import TestSupport
import Testing

@testable import TunnelProtocol

@Suite struct StreamTableTests {
    /// Random work on few identifiers, so that they meet often, and on ones that begin their search at one slot.
    @Test(arguments: [1, 7, 128, 1 << 7, 1 << 20]) func itBehavesAsADictionaryDoes(stride: UInt32) throws {
        var random = SplitMix64(seed: UInt64(stride))
        var (table, model) = (StreamTable<Int>(), [StreamID: Int]())
        for step in 0..<20_000 {
            let id = StreamID(UInt32(random.next() % 97 + 1) &* stride)
            switch random.next() % 5 {
            case 0, 1:
                table[id] = step
                model[id] = step
            case 2:
                if let index = table.index(forKey: id) { table.values[index] += 1 }
                model[id]? += 1
            default:
                try #require(table.removeValue(forKey: id) == model.removeValue(forKey: id))
            }
            try #require(table[id] == model[id], "step \(step)")
            try #require(table.count == model.count)
        }
        #expect(Dictionary(uniqueKeysWithValues: zip(table.keys, table.values)) == model)
        for id in table.keys { table[id] = nil }
        #expect(table.isEmpty)
    }

    @Test func whatIsNotThereIsNotFound() {
        var table = StreamTable<String>()
        #expect(table[StreamID(1)] == nil)
        #expect(table.removeValue(forKey: StreamID(1)) == nil)
        table[StreamID(1)] = "one"
        #expect(table[StreamID(2)] == nil)
        #expect(table[StreamID(.max)] == nil)
    }
}
