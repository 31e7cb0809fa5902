import NIOCore
import Testing

@testable import HTTPMessage

@Suite struct HeadMemoryTests {
    @Test func aHeadThatSomebodyHasIsNotWrittenOver() {
        let memory = HeadMemory()
        var kept: [ByteBuffer] = []
        for number in 0..<10 {
            let (text, count) = memory.write(room: 16) { $0.writeString("head \(number) ") }
            #expect(count == text.readableBytes)
            if number.isMultiple(of: 3) { kept.append(text) }
        }
        #expect(kept.map { String(buffer: $0) } == [0, 3, 6, 9].map { "head \($0) " })
    }

    @Test func aLargeHeadLeavesNoMemoryBehind() {
        let memory = HeadMemory()
        _ = memory.write(room: 1 << 20) { $0.writeRepeatingByte(1, count: 1 << 20) }
        let (text, _) = memory.write(room: 16) { $0.writeString("small") }
        #expect(text.capacity < 1 << 10 && String(buffer: text) == "small")
    }
}
