import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import TunnelClient

@Suite(.timeLimit(.minutes(1))) struct AlarmClockTests {
    private let loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()

    @Test func whoWaitsIsCalledInTurnAndNotBefore() async throws {
        let start = ContinuousClock.now
        let order = Mutex<[Int]>([])
        let last = loop.makePromise(of: Void.self)
        for milliseconds in [2000, 200, 1000] {
            _ = AlarmClock.of(loop).set(after: .milliseconds(milliseconds)) {
                order.withLock { $0.append(milliseconds) }
                if milliseconds == 2000 { last.succeed() }
            }
        }
        try await last.futureResult.get()
        #expect(order.withLock { $0 } == [200, 1000, 2000])
        #expect(ContinuousClock.now - start >= .milliseconds(2000))
    }

    @Test func whoCallsOffIsNotCalled() async throws {
        let isDone = loop.makePromise(of: Void.self)
        let alarm = AlarmClock.of(loop).set(after: .milliseconds(500)) { Issue.record("called") }
        _ = AlarmClock.of(loop).set(after: .seconds(1)) { isDone.succeed() }
        alarm.cancel()
        try await isDone.futureResult.get()
    }

    /// With a timer of the loop for each this takes minutes.
    @Test func manyWaitsAreCalledOffAtOnce() {
        let alarms = (0..<100_000).map { number in
            AlarmClock.of(loop).set(after: .seconds(60) + .milliseconds(number)) { Issue.record("called") }
        }
        let start = ContinuousClock.now
        for alarm in alarms { alarm.cancel() }
        #expect(ContinuousClock.now - start < .seconds(10))
    }
}
