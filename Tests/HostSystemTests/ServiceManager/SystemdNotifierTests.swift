import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import HostSystem

@Suite(.timeLimit(.minutes(1))) struct SystemdNotifierTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func notifier(
        _ name: String?, watchdog: Int? = nil, onFailure: @escaping @Sendable (Errno) -> Void = { _ in }
    ) -> SystemdNotifier {
        let variables = ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": watchdog.map(String.init)]
        return SystemdNotifier(
            ServiceEnvironment(processID: 42) { variables[$0] ?? nil }, onFailure: onFailure)
    }

    @Test(
        arguments: [
            ([.ready], "READY=1"),
            ([.reloading(monotonicMicroseconds: 123)], "RELOADING=1\nMONOTONIC_USEC=123"),
            ([.stopping, .status("going")], "STOPPING=1\nSTATUS=going"),
            ([.status("a\nREADY=1\u{0}\r\u{85}b")], "STATUS=a READY=1   b"),
            ([.status(String(repeating: "ä", count: 600))], "STATUS=" + String(repeating: "ä", count: 500)),
            ([.watchdog], "WATCHDOG=1"),
        ] as [([ServiceNotice], String)])
    func noticesAreAssignmentsLineByLine(notices: [ServiceNotice], text: String) {
        #expect(ServiceNotice.text(of: notices) == text)
    }

    @Test(arguments: [false, true])
    func aLifeIsToldInOrder(isAbstract: Bool) throws {
        let name = (isAbstract ? "@" : "") + folder.path(of: "notify")
        let manager = try ManagerSocket(name)
        let notifier = notifier(name)
        notifier.ready(status: "2 servers")
        #expect(try manager.receive() == "READY=1\nSTATUS=2 servers")

        let before = monotonicMicroseconds()
        notifier.reloading()
        let after = monotonicMicroseconds()
        let lines = try manager.receive().split(separator: "\n")
        #expect(lines.count == 3 && lines[0] == "RELOADING=1" && lines[2] == "STATUS=Reloading")
        let stamp = try #require(lines[1].split(separator: "=").last.flatMap { UInt64($0) })
        #expect((before...after).contains(stamp))
        notifier.reloaded(status: "generation 2")
        #expect(try manager.receive() == "READY=1\nSTATUS=generation 2")

        notifier.stopping(status: "finishing 3 requests")
        #expect(try manager.receive() == "STOPPING=1\nSTATUS=finishing 3 requests")
        #expect(manager.isEmpty)
    }

    private func monotonicMicroseconds() -> UInt64 {
        var reading = timespec()
        clock_gettime(CLOCK_MONOTONIC, &reading)
        return UInt64(reading.tv_sec) * 1_000_000 + UInt64(reading.tv_nsec) / 1000
    }

    @Test func signsOfLifeComeAgainAndAgain() async throws {
        let name = folder.path(of: "notify")
        let manager = try ManagerSocket(name)
        let notifier = notifier(name, watchdog: 20_000)
        let keeping = Task { await notifier.keepWatchdogQuiet() }
        let clock = ContinuousClock()
        let start = clock.now
        // By a thread of its own: the signs come from a task, which needs one of the few that tasks have.
        let signs = try await onThread { try (0..<4).map { _ in try manager.receive() } }
        #expect(signs == Array(repeating: "WATCHDOG=1", count: 4))
        #expect(clock.now - start >= .milliseconds(30))
        keeping.cancel()
        await keeping.value
    }

    @Test func aCheckThatHangsGivesNoSign() async throws {
        let name = folder.path(of: "notify")
        let manager = try ManagerSocket(name)
        let notifier = notifier(name, watchdog: 20_000)
        let (checks, continuation) = AsyncStream.makeStream(of: Void.self)
        let keeping = Task {
            await notifier.keepWatchdogQuiet {
                continuation.yield()
                try? await Task.sleep(for: .seconds(600))
            }
        }
        for await _ in checks { break }
        #expect(manager.isEmpty)
        keeping.cancel()
        await keeping.value
    }

    @Test func withoutAManagerNothingHappens() async {
        let notifier = notifier(nil, watchdog: 1)
        notifier.ready(status: "")
        await notifier.keepWatchdogQuiet()
        // Nobody asked for signs of life.
        await self.notifier(folder.path(of: "nobody")).keepWatchdogQuiet()
    }

    @Test(arguments: ["nobody", "relative", "long"])
    func aManagerThatIsAwayIsToldOnce(place: String) throws {
        let name =
            switch place {
            case "nobody": folder.path(of: "nobody")
            case "relative": "notify"
            default: "/" + String(repeating: "x", count: 108)
            }
        let failures = Mutex<[Errno]>([])
        let notifier = notifier(name) { failure in failures.withLock { $0.append(failure) } }
        notifier.ready(status: "")
        notifier.stopping(status: "")
        #expect(failures.withLock { $0 } == [place == "nobody" ? .noSuchFileOrDirectory : .invalidArgument])
    }
}
