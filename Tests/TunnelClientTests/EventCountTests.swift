import NIOCore
import NIOPosix
import Testing

@testable import TunnelClient

@Suite(.timeLimit(.minutes(1))) struct EventCountTests {
    private let loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    private let events = EventCount()

    @Test func whatHappenedSinceTheCountWasNotedIsNotMissed() async {
        let seen = events.value
        events.add()
        await events.wait(beyond: seen, on: loop)
        #expect(events.value == seen + 1)
    }

    @Test func theTimeEndsAWait() async {
        let start = ContinuousClock.now
        await events.wait(beyond: 0, atMost: .milliseconds(100), on: loop)
        #expect(ContinuousClock.now - start >= .milliseconds(100))
        await events.wait(beyond: 0, atMost: .zero, on: loop)
        #expect(events.value == 0)
    }

    @Test func allWhoWaitAreWoken() async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { [events, loop] in await events.wait(beyond: 0, on: loop) } }
            events.add()
        }
        #expect(events.value == 1)
    }

    @Test func aCancelledTaskWaitsNoLonger() async {
        let task = Task { [events, loop] in
            await events.wait(beyond: 0, atMost: .seconds(600), on: loop)
            return events.value
        }
        task.cancel()
        #expect(await task.value == 0)
    }
}
