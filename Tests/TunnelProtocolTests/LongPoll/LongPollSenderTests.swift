import NIOCore
import TestSupport
import Testing
import TunnelProtocol

@Suite("Long polling: the end of a direction that sends")
struct LongPollSenderTests {
    /// What is expected of it may change it.
    @dynamicMemberLookup
    private final class Subject {
        private(set) var sender: LongPollSender

        init(_ sender: LongPollSender) { self.sender = sender }

        subscript<Value>(dynamicMember path: KeyPath<LongPollSender, Value>) -> Value {
            sender[keyPath: path]
        }

        func write(_ bytes: ByteBuffer) { sender.write(bytes) }
        func finish() { sender.finish() }
        func next(atMost most: Int) -> LongPollSender.Segment? { sender.next(atMost: most) }
        func again(_ range: Range<UInt64>) -> LongPollSender.Segment { sender.again(range) }
        func acknowledge(_ offset: UInt64, limit: UInt64) -> Bool { sender.acknowledge(offset, limit: limit) }
        func lose(_ range: Range<UInt64>) { sender.lose(range) }
        func loseAll() { sender.loseAll() }
    }

    private func sender(_ text: String = "", limit: UInt64 = 100) -> Subject {
        let subject = Subject(LongPollSender(limit: limit))
        subject.write(ByteBuffer(string: text))
        return subject
    }

    private func text(_ segment: LongPollSender.Segment?) -> String? {
        segment.map { String(buffer: $0.data) }
    }

    @Test func whatIsWrittenIsSentInOrderAndOnce() {
        let sender = sender("abcdef")
        #expect(text(sender.next(atMost: 4)) == "abcd")
        #expect(sender.sent == 4)
        #expect(sender.unsentBytes == 2)
        let rest = sender.next(atMost: 4)
        #expect(text(rest) == "ef")
        #expect(rest?.range == 4..<6)
        #expect(sender.next(atMost: 4) == nil)
        #expect(!sender.canSend)
        #expect(!sender.isAcknowledged)
    }

    @Test func nothingIsSentBeyondTheLimit() {
        let sender = sender("abcdef", limit: 2)
        #expect(text(sender.next(atMost: 100)) == "ab")
        #expect(!sender.canSend)
        #expect(sender.unsentBytes == 4)
        #expect(sender.acknowledge(0, limit: 5))
        #expect(text(sender.next(atMost: 100)) == "cde")
        #expect(sender.next(atMost: 100) == nil)
    }

    @Test func theLimitNeverGoesBack() {
        let sender = sender("abcdef", limit: 4)
        #expect(sender.acknowledge(0, limit: 1))
        #expect(sender.limit == 4)
        #expect(text(sender.next(atMost: 100)) == "abcd")
    }

    @Test func theEndIsSentEvenWhereTheLimitLeavesNoRoom() {
        let sender = sender("ab", limit: 2)
        sender.finish()
        let segment = sender.next(atMost: 100)
        #expect(text(segment) == "ab")
        #expect(segment?.isEnd == true)
    }

    @Test func theEndCountsAsAByteThatIsAcknowledgedLikeOne() {
        let sender = sender("ab")
        #expect(text(sender.next(atMost: 2)) == "ab")
        sender.finish()
        #expect(sender.hasEnded)
        #expect(sender.canSend)
        let end = sender.next(atMost: 10)
        #expect(end?.isEnd == true)
        #expect(end?.range == 2..<3)
        #expect(sender.sent == 3)
        #expect(!sender.canSend)
        #expect(sender.acknowledge(2, limit: 100))
        #expect(!sender.isDone)
        #expect(sender.acknowledge(3, limit: 100))
        #expect(sender.isDone)
        #expect(sender.isAcknowledged)
        #expect(sender.keptBytes == 0)
    }

    @Test func anEmptyDirectionEndsToo() {
        let sender = sender()
        #expect(!sender.canSend)
        sender.finish()
        #expect(sender.next(atMost: 10)?.range == 0..<1)
        #expect(sender.acknowledge(1, limit: 0))
        #expect(sender.isDone)
    }

    @Test func nothingIsWrittenBehindTheEnd() {
        let sender = sender("ab")
        sender.finish()
        sender.write(ByteBuffer(string: "cd"))
        sender.finish()
        #expect(text(sender.next(atMost: 10)) == "ab")
        #expect(!sender.canSend)
    }

    @Test func whatWasNeverSentCannotBeAcknowledged() {
        let sender = sender("abc")
        #expect(!sender.acknowledge(1, limit: 100))
        _ = sender.next(atMost: 2)
        #expect(!sender.acknowledge(3, limit: 100))
        #expect(sender.acknowledge(2, limit: 100))
        sender.finish()
        _ = sender.next(atMost: 10)
        #expect(!sender.acknowledge(5, limit: 100))
        #expect(sender.acknowledge(4, limit: 100))
    }

    @Test func anOlderAcknowledgementChangesNothing() {
        let sender = sender("abcdef")
        _ = sender.next(atMost: 6)
        #expect(sender.acknowledge(4, limit: 100))
        #expect(sender.acknowledge(2, limit: 100))
        #expect(sender.acknowledged == 4)
        #expect(sender.keptBytes == 2)
    }

    @Test func whatWasLostIsSentAgainFirst() {
        let sender = sender("abcdef")
        _ = sender.next(atMost: 2)
        _ = sender.next(atMost: 2)
        sender.lose(0..<2)
        #expect(sender.hasLost)
        #expect(text(sender.next(atMost: 1)) == "a")
        #expect(text(sender.next(atMost: 10)) == "b")
        #expect(!sender.hasLost)
        #expect(text(sender.next(atMost: 10)) == "ef")
    }

    @Test func lostRangesThatTouchOrOverlapBecomeOne() {
        let sender = sender("abcdefghij")
        _ = sender.next(atMost: 10)
        sender.lose(6..<8)
        sender.lose(0..<2)
        sender.lose(1..<3)
        sender.lose(3..<4)
        sender.lose(7..<9)
        #expect(text(sender.next(atMost: 10)) == "abcd")
        #expect(text(sender.next(atMost: 10)) == "ghi")
        #expect(sender.next(atMost: 10) == nil)
    }

    @Test func whatIsAcknowledgedIsNotLost() {
        let sender = sender("abcdef")
        _ = sender.next(atMost: 6)
        #expect(sender.acknowledge(3, limit: 100))
        sender.lose(0..<3)
        #expect(!sender.hasLost)
        sender.lose(0..<5)
        #expect(sender.acknowledge(4, limit: 100))
        #expect(text(sender.next(atMost: 10)) == "e")
        sender.lose(4..<6)
        #expect(sender.acknowledge(6, limit: 100))
        #expect(!sender.hasLost)
    }

    @Test func whatWasNeverSentIsNotLost() {
        let sender = sender("abcdef")
        _ = sender.next(atMost: 2)
        sender.lose(0..<100)
        #expect(text(sender.next(atMost: 100)) == "ab")
        #expect(text(sender.next(atMost: 100)) == "cdef")
    }

    @Test func aLostEndIsSentAgain() {
        let sender = sender("ab")
        sender.finish()
        _ = sender.next(atMost: 10)
        sender.lose(2..<3)
        let end = sender.next(atMost: 10)
        #expect(end?.isEnd == true)
        #expect(end?.range == 2..<3)
        sender.loseAll()
        #expect(sender.next(atMost: 10)?.range == 0..<3)
    }

    @Test func anEndThatCameToBeKnownGoesAlongWithWhatWasLostBefore() {
        let sender = sender("ab")
        _ = sender.next(atMost: 10)
        sender.finish()
        sender.lose(0..<2)
        #expect(sender.next(atMost: 10)?.range == 0..<3)
        #expect(!sender.canSend)
        #expect(sender.acknowledge(3, limit: 100))
    }

    @Test func aPartIsSentAgainAsFarAsItIsNotAcknowledged() {
        let sender = sender("abcdef")
        _ = sender.next(atMost: 6)
        #expect(text(sender.again(1..<4)) == "bcd")
        #expect(sender.acknowledge(2, limit: 100))
        #expect(text(sender.again(1..<4)) == "cd")
        #expect(sender.again(1..<4).offset == 2)
        #expect(sender.acknowledge(6, limit: 100))
        #expect(sender.again(1..<4).range == 6..<6)
    }

    @Test func aPartSentAgainHasTheEndOnlyWhereItHadIt() {
        let sender = sender("ab")
        _ = sender.next(atMost: 10)
        sender.finish()
        // Nobody could acknowledge an end that was never counted as sent.
        #expect(sender.again(0..<2).range == 0..<2)
        _ = sender.next(atMost: 10)
        #expect(sender.again(0..<3).range == 0..<3)
        #expect(sender.again(2..<3).range == 2..<3)
        #expect(sender.acknowledge(3, limit: 100))
        #expect(sender.again(2..<3).range == 3..<3)
    }

    @Test func theMemoryOfWhatIsAcknowledgedIsLetGoHoweverLongItGoesOn() {
        let sender = Subject(LongPollSender())
        let piece = ByteBuffer(repeating: 1, count: 10_000)
        sender.write(piece)
        for _ in 0..<1_000 {
            // Something is under way all the time.
            sender.write(piece)
            _ = sender.next(atMost: piece.readableBytes)
            #expect(sender.acknowledge(sender.sent, limit: sender.sent + 1_000_000))
        }
        #expect(sender.keptBytes == piece.readableBytes)
        #expect(Self.capacity(of: sender.sender) <= 256 << 10)
    }

    /// Of its buffers, in bytes.
    private static func capacity(of sender: LongPollSender) -> Int {
        let kept = Mirror(reflecting: sender).children.first { $0.label == "kept" }?.value
        return kept.map { Mirror(reflecting: $0).children.compactMap { $0.value as? ByteBuffer } }?
            .reduce(0) { $0 + $1.capacity } ?? .max
    }

    @Test func whatIsWrittenAndLostAtRandomComesWholeAndOnlySo() throws {
        for seed: UInt64 in 1...50 {
            var random = SplitMix64(seed: seed)
            let bytes = random.bytes(200_000)
            var (sender, receiver) = (LongPollSender(), LongPollReceiver())
            var (written, read) = (0, ByteBuffer())
            while !receiver.hasEnded {
                let count = min(Int.random(in: 0...20_000, using: &random), bytes.count - written)
                sender.write(ByteBuffer(bytes: bytes[written..<written + count]))
                written += count
                if written == bytes.count { sender.finish() }
                while let segment = sender.next(atMost: Int.random(in: 1...10_000, using: &random)) {
                    if Int.random(in: 0..<3, using: &random) == 0 {
                        sender.lose(segment.range)
                        if Bool.random(using: &random) { break }
                    } else {
                        _ = try receiver.accept(segment.offset, segment.data, isEnd: segment.isEnd)
                    }
                    while let piece = receiver.next() { read.writeImmutableBuffer(piece) }
                    let isPossible = sender.acknowledge(receiver.received, limit: receiver.limit)
                    try #require(isPossible)
                }
                if !sender.canSend, written == bytes.count, !receiver.hasEnded { sender.loseAll() }
            }
            try #require(read == ByteBuffer(bytes: bytes), "seed \(seed)")
        }
    }
}
