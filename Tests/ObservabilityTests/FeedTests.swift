import Testing

@testable import Observability

/// What readers of a feed get, each at its own pace.
@Suite(.timeLimit(.minutes(1))) struct FeedTests {
    private func feed(_ count: UInt64, capacity: Int = 4) -> Feed<UInt64> {
        let feed = Feed<UInt64>(capacity: capacity)
        for _ in 0..<count { feed.publish { $0 } }
        return feed
    }

    @Test(
        arguments: [
            // Elements, read behind, and what comes.
            (0, 0, [], 0, 0), (3, 0, [1, 2, 3], 3, 0), (3, 1, [2, 3], 3, 0), (3, 3, [], 3, 0),
            // Who fell behind is told how many are gone.
            (9, 0, [6, 7, 8, 9], 9, 5), (9, 4, [6, 7, 8, 9], 9, 1), (9, 5, [6, 7, 8, 9], 9, 0),
            (9, 7, [8, 9], 9, 0),
            // One that has not come yet.
            (3, 7, [], 3, 0),
        ] as [(UInt64, UInt64, [UInt64], UInt64, UInt64)])
    func whatComesBehindAPlace(
        count: UInt64, place: UInt64, elements: [UInt64], last: UInt64, missed: UInt64
    ) {
        let batch = feed(count).read(after: place)
        #expect(batch.elements == elements && batch.last == last && batch.missed == missed)
    }

    @Test func oneThatReadsALittleAtATimeMissesNothing() {
        let feed = feed(7, capacity: 8)
        var (place, read) = (UInt64(0), [UInt64]())
        for _ in 0..<4 {
            let batch = feed.read(after: place, most: 2)
            place = batch.last
            read += batch.elements
        }
        #expect(read == [1, 2, 3, 4, 5, 6, 7] && place == 7)
    }

    @Test func whoWaitsIsWokenByTheNext() async {
        let feed = feed(2)
        async let batch = feed.next(after: 2, within: .seconds(60))
        feed.publish { $0 }
        #expect(await batch?.elements == [3])
    }

    @Test func twoThatWaitForEachOtherAreBothWoken() async {
        let (ping, pong) = (feed(0), feed(0))
        let answering = Task {
            for number in 0..<300 {
                guard let batch = await ping.next(after: UInt64(number), within: .seconds(60)) else { return }
                pong.publish { _ in batch.last }
            }
        }
        var answers: [UInt64] = []
        for number in 0..<300 {
            ping.publish { $0 }
            answers += await pong.next(after: UInt64(number), within: .seconds(60))?.elements ?? []
        }
        await answering.value
        #expect(answers == Array(1...300))
    }

    @Test func whoWaitsForNothingIsLetGo() async {
        #expect(await feed(2).next(after: 2, within: .milliseconds(1)) == nil)
        let feed = feed(2)
        let waiting = Task { await feed.next(after: 2, within: .seconds(60))?.elements }
        waiting.cancel()
        #expect(await waiting.value == nil)
    }

    @Test func itIsWantedWhileSomebodyReads() {
        let feed = feed(0)
        #expect(!feed.isWanted)
        feed.subscribe()
        feed.subscribe()
        feed.unsubscribe()
        #expect(feed.isWanted)
        feed.unsubscribe()
        #expect(!feed.isWanted)
    }
}
