import HostSystem
import Testing

@Suite(.timeLimit(.minutes(1))) struct MonitorTests {
    private let monitor = Monitor(0)

    /// Waits in a task of its own; returns when it waits.
    private func waiting<Found: Sendable>(
        for find: @escaping @Sendable (Int) -> Found?
    ) async -> (task: Task<Found?, Never>, giveUp: @Sendable () -> Void) {
        let (begun, source) = AsyncStream.makeStream(of: (@Sendable () -> Void).self)
        let task = Task { [monitor] in
            await monitor.wait(for: find) { giveUp in source.yield(giveUp) }
        }
        for await giveUp in begun { return (task, giveUp) }
        return (task, {})
    }

    @Test func whatIsThereIsFoundAtOnce() async {
        let found = await monitor.wait(for: { "\($0)" }) { _ in Issue.record("there is nothing to wait for") }
        #expect(found == "0")
    }

    @Test func oneWhoWaitsIsWokenByTheChangeThatHeWaitsFor() async {
        let (task, _) = await waiting { $0 >= 2 ? $0 : nil }
        monitor.change { $0 = 1 }
        monitor.change { $0 = 5 }
        #expect(await task.value == 5)
    }

    @Test func whatWasFoundIsToldThoughTheNextChangeTakesItAway() async {
        let (task, _) = await waiting { $0 == 1 ? $0 : nil }
        monitor.change { $0 = 1 }
        monitor.change { $0 = 0 }
        #expect(await task.value == 1)
    }

    @Test func aChangeWakesAllWhoWaitForItAndNobodyElse() async {
        var low: [Task<Int?, Never>] = []
        for _ in 0..<10 { low.append(await waiting { $0 > 0 ? $0 : nil }.task) }
        let (high, giveUp) = await waiting { $0 > 10 ? $0 : nil }
        monitor.change { $0 = 3 }
        for task in low { #expect(await task.value == 3) }
        giveUp()
        #expect(await high.value == nil)
    }

    @Test func lookingWakesNobodyAndChangesNothing() async {
        let (task, giveUp) = await waiting { $0 > 0 ? $0 : nil }
        #expect(monitor.read { $0 } == 0)
        giveUp()
        #expect(await task.value == nil)
    }

    @Test func aCancelledTaskWaitsNoLonger() async {
        let (task, _) = await waiting { $0 > 0 ? $0 : nil }
        task.cancel()
        #expect(await task.value == nil)
        // It is forgotten: nobody is told twice.
        monitor.change { $0 = 1 }
    }

    @Test func aTaskThatIsCancelledAlreadyDoesNotWait() async {
        let task = Task { [monitor] in
            while !Task.isCancelled { await Task.yield() }
            return await monitor.wait(for: { $0 > 0 ? $0 : nil }) { _ in Issue.record("it must not wait") }
        }
        task.cancel()
        #expect(await task.value == nil)
    }

    @Test func aWaitThatIsOverCanBeGivenUpOnceMore() async {
        let (task, giveUp) = await waiting { $0 > 0 ? $0 : nil }
        monitor.change { $0 = 1 }
        giveUp()
        giveUp()
        #expect(await task.value == 1)
    }

    /// Changes, cancellations and waits at the same time: each wait ends once, with what it looked for or nothing.
    @Test func nobodyIsForgotten() async {
        let tasks = (1...500).map { number in
            Task { [monitor] in await monitor.wait { $0 >= number ? number : nil } }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for _ in 0..<500 { monitor.change { $0 += 1 } } }
            group.addTask { for task in tasks.prefix(100) { task.cancel() } }
        }
        for (index, task) in tasks.enumerated() {
            let found = await task.value
            #expect(found == index + 1 || (found == nil && index < 100))
        }
    }
}
