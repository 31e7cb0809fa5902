import Synchronization

/// Numbers of sessions, of either end: unique in the process, so that one means the same in logs, statuses and commands.
package enum SessionNumber {
    private static let count = Atomic<UInt64>(0)

    package static func next() -> UInt64 { count.add(1, ordering: .relaxed).newValue }
}
