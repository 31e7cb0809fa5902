import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("Long polling: the end of a direction that receives")
struct LongPollReceiverTests {
    private static let text = "abcde"

    /// What is expected of it may change it.
    @dynamicMemberLookup
    private final class Subject {
        private var receiver = LongPollReceiver()

        subscript<Value>(dynamicMember path: KeyPath<LongPollReceiver, Value>) -> Value {
            receiver[keyPath: path]
        }

        func next() -> ByteBuffer? { receiver.next() }

        func accept(
            _ offset: UInt64, _ bytes: ByteBuffer, isEnd: Bool = false, mayHold: Bool = true
        ) throws -> Bool {
            try receiver.accept(offset, bytes, isEnd: isEnd, mayHold: mayHold)
        }

        /// All that can be.
        func read() -> String {
            var text = ""
            while let bytes = receiver.next() { text += String(buffer: bytes) }
            return text
        }
    }

    private func part(_ range: Range<Int>) -> ByteBuffer {
        ByteBuffer(substring: Self.text.dropFirst(range.lowerBound).prefix(range.count))
    }

    /// All ranges of the text, each one too that is empty.
    private static let ranges: [Range<Int>] = (0...text.count).flatMap { lower in
        (lower...text.count).map { lower..<$0 }
    }

    @Test func everyOrderOfEverySplitIsDeliveredOnce() throws {
        // Each bit: whether it is split there.
        for split in 0..<1 << (Self.text.count - 1) {
            var parts: [Range<Int>] = []
            for place in 1...Self.text.count
            where place == Self.text.count || split & 1 << (place - 1) != 0 {
                parts.append((parts.last?.upperBound ?? 0)..<place)
            }
            try eachOrder(parts) { try deliver($0) }
        }
    }

    @Test func anyThreePartsThatOverlapAreDeliveredOnce() throws {
        for first in Self.ranges {
            for second in Self.ranges {
                for third in Self.ranges { try deliver([first, second, third]) }
            }
        }
    }

    private func eachOrder(_ parts: [Range<Int>], from place: Int = 0, _ body: ([Range<Int>]) throws -> Void)
        throws
    {
        guard place < parts.count else { return try body(parts) }
        for other in place..<parts.count {
            var parts = parts
            parts.swapAt(place, other)
            try eachOrder(parts, from: place + 1, body)
        }
    }

    /// The parts in that order, then once more all of it, part by part: whatever was missing.
    private func deliver(_ parts: [Range<Int>]) throws {
        let receiver = Subject()
        var arrived: Set<Int> = []
        var text = ""
        for part in parts {
            let isEnd = part.upperBound == Self.text.count
            let isKept = try receiver.accept(UInt64(part.lowerBound), self.part(part), isEnd: isEnd)
            try #require(isKept, "\(parts)")
            arrived.formUnion(part)
            text += receiver.read()
            let whole = (0...Self.text.count).first { !arrived.contains($0) } ?? 0
            try #require(text == Self.text.prefix(whole), "\(parts)")
            let held = arrived.count { $0 >= whole }
            try #require(receiver.heldBytes == held, "\(parts)")
        }
        for place in 0..<Self.text.count { _ = try receiver.accept(UInt64(place), part(place..<place + 1)) }
        text += receiver.read()
        try #require(text == Self.text, "\(parts)")
        try #require(!receiver.hasGap && receiver.heldBytes == 0)
        let hadEnd = parts.contains { $0.upperBound == Self.text.count }
        try #require(receiver.hasEnded == hadEnd)
        try #require(receiver.received == UInt64(Self.text.count + (hadEnd ? 1 : 0)))
    }

    @Test func whatIsInOrderCanBeTakenAtOnce() throws {
        let receiver = Subject()
        #expect(try receiver.accept(0, part(0..<2)))
        #expect(receiver.readyBytes == 2)
        #expect(receiver.received == 2)
        #expect(!receiver.hasGap)
        #expect(receiver.read() == "ab")
        #expect(receiver.readyBytes == 0)
    }

    @Test func theLimitMovesWithWhatIsTaken() throws {
        let receiver = Subject()
        let window = UInt64(LongPollReceiver.window)
        #expect(receiver.limit == window)
        _ = try receiver.accept(0, part(0..<3))
        #expect(receiver.limit == window)
        _ = receiver.next()
        #expect(receiver.limit == window + 3)
    }

    @Test func nothingIsTakenBeyondTheLimit() throws {
        let receiver = Subject()
        let window = UInt64(LongPollReceiver.window)
        #expect(try receiver.accept(window - 2, part(0..<2)))
        #expect(throws: LongPollReceiver.Misuse.beyondLimit) {
            try receiver.accept(window - 1, part(0..<2))
        }
        #expect(throws: LongPollReceiver.Misuse.beyondLimit) { try receiver.accept(.max, part(0..<2)) }
        #expect(throws: LongPollReceiver.Misuse.beyondLimit) {
            try receiver.accept(window + 1, ByteBuffer(), isEnd: true)
        }
    }

    @Test func anEndAtTheLimitIsTaken() throws {
        let receiver = Subject()
        #expect(try receiver.accept(0, ByteBuffer(repeating: 0, count: LongPollReceiver.window), isEnd: true))
        #expect(receiver.hasEnded)
    }

    @Test func nothingComesBehindTheEnd() throws {
        let receiver = Subject()
        _ = try receiver.accept(3, ByteBuffer(), isEnd: true)
        #expect(receiver.hasGap)
        #expect(throws: LongPollReceiver.Misuse.beyondEnd) { try receiver.accept(2, part(2..<4)) }
        #expect(throws: LongPollReceiver.Misuse.beyondEnd) { try receiver.accept(3, part(3..<4)) }
        #expect(try receiver.accept(0, part(0..<3)))
        #expect(receiver.hasEnded)
        #expect(receiver.received == 4)
        #expect(throws: LongPollReceiver.Misuse.beyondEnd) { try receiver.accept(3, part(3..<4)) }
    }

    @Test func anEndInAnotherPlaceIsAgainstTheRules() throws {
        let receiver = Subject()
        _ = try receiver.accept(3, ByteBuffer(), isEnd: true)
        _ = try receiver.accept(3, ByteBuffer(), isEnd: true)
        #expect(throws: LongPollReceiver.Misuse.beyondEnd) {
            try receiver.accept(2, ByteBuffer(), isEnd: true)
        }
        #expect(throws: LongPollReceiver.Misuse.beyondEnd) {
            try receiver.accept(4, ByteBuffer(), isEnd: true)
        }
        #expect(throws: LongPollReceiver.Misuse.beyondEnd) {
            try receiver.accept(0, part(0..<2), isEnd: true)
        }
    }

    @Test func anEndBeforeWhatHasComeIsAgainstTheRules() throws {
        let receiver = Subject()
        _ = try receiver.accept(0, part(0..<2))
        #expect(throws: LongPollReceiver.Misuse.beyondEnd) {
            try receiver.accept(0, part(0..<1), isEnd: true)
        }
        _ = try receiver.accept(3, part(3..<5))
        #expect(throws: LongPollReceiver.Misuse.beyondEnd) {
            try receiver.accept(4, ByteBuffer(), isEnd: true)
        }
        #expect(try receiver.accept(5, ByteBuffer(), isEnd: true))
    }

    @Test func partsBehindMoreGapsThanAreKeptHaveToComeAgain() throws {
        let receiver = Subject()
        let byte = ByteBuffer(integer: UInt8(1))
        for gap in 1...LongPollReceiver.mostHeld { #expect(try receiver.accept(UInt64(2 * gap), byte)) }
        let beyond = UInt64(2 * LongPollReceiver.mostHeld + 2)
        #expect(try !receiver.accept(beyond, byte))
        #expect(receiver.heldBytes == LongPollReceiver.mostHeld)
        // What closes the first gap is taken always.
        #expect(try receiver.accept(0, ByteBuffer(bytes: [1, 1])))
        #expect(receiver.received == 3)
        #expect(try receiver.accept(beyond, byte))
    }

    @Test func manyTinyPartsInARowAreOneBehindTheirGap() throws {
        let receiver = Subject()
        let byte = ByteBuffer(integer: UInt8(1))
        for place: UInt64 in 1...1_000 { #expect(try receiver.accept(place, byte)) }
        #expect(receiver.heldBytes == 1_000)
        #expect(try receiver.accept(0, byte))
        #expect(receiver.received == 1_001)
        #expect(receiver.readyBytes == 1_001)
    }

    @Test func withoutRoomNothingIsKeptBehindAGapButAllThatIsInOrder() throws {
        let receiver = Subject()
        #expect(try !receiver.accept(1, part(1..<3), mayHold: false))
        #expect(receiver.heldBytes == 0)
        #expect(try receiver.accept(0, part(0..<2), mayHold: false))
        #expect(try receiver.accept(1, part(1..<5), mayHold: false))
        #expect(receiver.read() == Self.text)
    }
}
