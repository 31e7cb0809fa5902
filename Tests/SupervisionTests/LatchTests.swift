import Testing

@testable import Supervision

@Suite(.timeLimit(.minutes(1))) struct LatchTests {
    private let latch = Latch()

    @Test func itOpensOnceForAll() async {
        #expect(!latch.isOpen)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { [latch] in await latch.wait() } }
            latch.open()
            latch.open()
        }
        #expect(latch.isOpen)
        await latch.wait()
        #expect(await latch.wait(atMost: .zero))
    }

    @Test func nobodyWaitsLongerThanHeWants() async {
        #expect(await latch.wait(atMost: .milliseconds(20)) == false)
    }

    @Test func aCancelledTaskWaitsNoLonger() async {
        let task = Task { [latch] in
            await latch.wait()
            return latch.isOpen
        }
        task.cancel()
        #expect(await task.value == false)
    }
}
