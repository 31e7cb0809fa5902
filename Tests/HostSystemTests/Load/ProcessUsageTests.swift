import Foundation
import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import HostSystem

@Suite(.timeLimit(.minutes(1))) struct ProcessUsageTests {
    @Test func theProcessIsMeasured() throws {
        let usage = ProcessUsage.now()
        #expect(try #require(usage.residentBytes) > 1 << 20)
        let most = try #require(usage.mostFiles)
        #expect((3...most).contains(usage.openFiles))
        let cpu = try #require(usage.cpu)
        let later = try #require(ProcessUsage.now().cpu)
        #expect(cpu > 0 && later >= cpu)
        let started = try #require(usage.startedAt)
        #expect(started <= UnixTime.milliseconds && started > UnixTime.milliseconds - 86_400_000)
        #expect(ProcessUsage.now().startedAt == started)
    }

    @Test(
        arguments: [
            ("7 (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20", 4711),
            ("7 (a) ) (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20", 4711),
            ("7 (a) S 1", nil), ("", nil),
        ] as [(String, Int64?)]) func theStartIsFoundBehindAnyName(text: String, ticks: Int64?)
    {
        #expect(ProcessUsage.startTicks(text) == ticks)
    }

    @Test func aLoopThatIsBusyIsLateAndDoesNotHoldUpWhoAsks() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let loops = Array(group.makeIterator())
        let idle = await LoopUsage.of(loops)
        #expect(idle.count == 2 && idle.allSatisfy { $0.cpu != nil && $0.delay < 10_000_000 })
        let (isBusy, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        loops[1].execute {
            isBusy.signal()
            mayEnd.wait()
        }
        isBusy.waitForIt()
        let usages = await LoopUsage.of(loops, patience: .milliseconds(100))
        mayEnd.signal()
        #expect(usages[0].cpu != nil)
        #expect(usages[1].cpu == nil && usages[1].delay >= 100_000)
        try await group.shutdownGracefully()
    }
}

extension DispatchSemaphore {
    /// Called where tasks run too: what it waits for comes at once.
    fileprivate func waitForIt() { wait() }
}
