import CMalloc
import Glibc

/// Gives memory that a busy time left unused back to the system.
///
/// The allocator keeps what is freed, unless it lies at the end of what it has: after 256 slow downloads 150 MB stayed
/// with a server that needed 20. Fewer arenas or other thresholds do not change that; asked to, it returns all of it
/// in some milliseconds.
///
/// Until then it shall keep what it has: by default it gives the end of it back as soon as 128 KiB are free there, and a
/// client that carries 8 downloads had a page fault for each page of theirs, a quarter of its time.
package struct SpareMemory: Sendable {
    /// Between two looks.
    package static let interval: Duration = .seconds(5)
    /// Bytes that are worth the trouble: whoever needs them again pays for each page.
    static let worthwhile = 16 << 20

    /// Free bytes at the end of each of the allocator's arenas that are kept. With half of it, there are faults again.
    private static let kept: CInt = 2 << 20
    /// A piece of so many bytes is got from the system for itself, and given back at once.
    private static let large: CInt = 4 << 20

    /// What was resident when it was least, or after the last return, in bytes.
    private var lowest = Int.max

    package init() {}

    /// Whether the allocator should be asked now: the process has grown by something worthwhile, and more than half of
    /// it is unused. Under load that goes on it is not.
    ///
    /// - Parameters:
    ///   - resident: bytes of the process in memory.
    ///   - unused: bytes that the allocator keeps for later; costs a walk through its lists.
    mutating func isWorthReturning(resident: Int, unused: () -> Int) -> Bool {
        lowest = min(lowest, resident)
        guard resident - lowest >= Self.worthwhile else { return false }
        let unused = unused()
        return unused >= Self.worthwhile && unused * 2 >= resident
    }

    /// It was asked: what is left is in use, or lies among what is.
    mutating func returned(resident: Int) { lowest = resident }

    /// Lets the allocator keep what is freed, until it is asked.
    package static func keepFreed() {
        mallopt(M_TRIM_THRESHOLD, kept)
        mallopt(M_MMAP_THRESHOLD, large)
    }

    /// Looks, and asks the allocator where it is worth it: that takes some milliseconds, and the allocator's locks.
    package func looked() -> SpareMemory {
        var memory = self
        guard let resident = Self.residentBytes() else { return memory }
        if memory.isWorthReturning(resident: resident, unused: { Int(mallinfo2().fordblks) }) {
            _ = malloc_trim(0)
            memory.returned(resident: Self.residentBytes() ?? resident)
        }
        return memory
    }

    /// Asks the allocator for all that it keeps for later, wherever memory is short: some milliseconds, and its locks.
    package static func returnAll() { _ = malloc_trim(0) }

    /// What the system says of this process; nil where it says nothing.
    static func residentBytes() -> Int? { memory?.resident }

    /// The same without what lies in files, which the system takes back when it needs it; nil where it says nothing.
    static func ownBytes() -> Int? { memory.map { $0.resident - $0.shared } }

    private static var memory: (resident: Int, shared: Int)? {
        guard let file = try? OwnedDescriptor(open("/proc/self/statm", O_RDONLY | O_CLOEXEC)),
            let text = try? file.read()
        else { return nil }
        // The second and third of several numbers of pages (proc_pid_statm(5)).
        let pages = text.split(separator: UInt8(ascii: " ")).prefix(3).compactMap {
            Int(String(decoding: $0, as: UTF8.self))
        }
        guard pages.count == 3 else { return nil }
        return (pages[1] * Int(getpagesize()), pages[2] * Int(getpagesize()))
    }
}
