import TestSupport
import Testing
import TunnelProtocol

@Suite struct FIFOTests {
    @Test(arguments: 0..<30 as Range<UInt64>) func itBehavesAsAnArrayWould(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var queue = FIFO<Int>()
        var model: [Int] = []
        for step in 0..<2000 {
            // Phases in which it grows and shrinks, so that it also becomes empty and compacts.
            let grows = (step / 200).isMultiple(of: 2)
            switch Int.random(in: 0..<10, using: &random) {
            case 0...(grows ? 5 : 2):
                queue.append(step)
                model.append(step)
            case 6...8:
                #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            case 9 where step.isMultiple(of: 97):
                queue.removeAll()
                model.removeAll()
            default:
                queue.updateFirst { $0 += 10_000 }
                queue.updateLast { $0 += 1_000_000 }
                if !model.isEmpty {
                    model[0] += 10_000
                    model[model.count - 1] += 1_000_000
                }
            }
            #expect(queue.count == model.count, "seed \(seed), step \(step)")
            #expect(queue.isEmpty == model.isEmpty)
            #expect(queue.first == model.first)
            #expect(queue.last == model.last)
        }
        while let element = queue.popFirst() { #expect(element == model.removeFirst()) }
        #expect(model.isEmpty)
    }

    @Test func whatWasTakenIsLetGo() {
        final class Token {}
        var queue = FIFO<Token>()
        weak var seen: Token?
        do {
            let token = Token()
            seen = token
            queue.append(token)
            queue.append(Token())
        }
        #expect(seen != nil)
        _ = queue.popFirst()
        #expect(seen == nil)
        #expect(queue.count == 1)
    }

    @Test func anEmptyQueueIsLeftAlone() {
        var queue = FIFO<Int>()
        queue.updateFirst { _ in Issue.record("there is no first") }
        queue.updateLast { _ in Issue.record("there is no last") }
        #expect(queue.popFirst() == nil)
        #expect(queue.isEmpty)
    }
}
