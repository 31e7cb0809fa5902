import Glibc

/// What the process uses, and since when it runs. Looks into files of the system: not for event loops.
package struct ProcessUsage: Sendable {
    /// nil where the system does not tell, here and below.
    package let residentBytes: Int?
    package let openFiles: Int
    package let mostFiles: Int?
    /// Processor time of all threads, of user and system, in microseconds.
    package let cpu: Int64?
    /// In milliseconds since 1970.
    package let startedAt: Int64?

    package static func now() -> ProcessUsage {
        var descriptors = OpenDescriptors()
        return ProcessUsage(
            residentBytes: SpareMemory.residentBytes(), openFiles: descriptors.count(),
            mostFiles: OpenFileLimit.current, cpu: clock(CLOCK_PROCESS_CPUTIME_ID), startedAt: startedAt)
    }

    /// Of the thread that asks, in microseconds.
    static var threadCPU: Int64? { clock(CLOCK_THREAD_CPUTIME_ID) }

    private static func clock(_ id: clockid_t) -> Int64? {
        var time = timespec()
        guard clock_gettime(id, &time) == 0 else { return nil }
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Worked out once: later it would come out some milliseconds beside that.
    private static let startedAt: Int64? = {
        guard let file = try? OwnedDescriptor(open("/proc/self/stat", O_RDONLY | O_CLOEXEC)),
            let bytes = try? file.read(), let ticks = startTicks(String(decoding: bytes, as: UTF8.self)),
            let sinceBoot = clock(CLOCK_BOOTTIME)
        else { return nil }
        let perSecond = Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        return UnixTime.milliseconds - sinceBoot / 1000 + ticks * 1000 / perSecond
    }()

    /// The 22nd field (proc_pid_stat(5)): ticks of the clock from the machine's start to the process's. The second is a name
    /// in parentheses, which may hold anything.
    static func startTicks(_ text: String) -> Int64? {
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 19 ? Int64(fields[19]) : nil
    }
}
