internal import CSQLite
internal import Glibc
internal import HostSystem
internal import Synchronization

/// Stops what a connection does when it takes too long, from a thread of its own.
///
/// A check of a file is one step to SQLite, in which it looks at no deadline, but whether it is interrupted.
final class Interruption: Sendable {
    /// Of the connection; nil once there is nothing to interrupt.
    private let handle: Mutex<UInt?>
    private let milliseconds: Int32

    /// - Parameter connection: stays open until `cancel`.
    init(of connection: OpaquePointer, after time: Duration) {
        handle = Mutex(UInt(bitPattern: connection))
        milliseconds = Int32(clamping: Int64(time / .milliseconds(1)))
    }

    /// - Returns: false where the process is short of threads.
    func start() -> Bool { SignalFreeThread { self.run() }.start() }

    private func run() {
        poll(nil, 0, milliseconds)
        handle.withLock { handle in
            if let handle { sqlite3_interrupt(OpaquePointer(bitPattern: handle)) }
        }
    }

    func cancel() { handle.withLock { $0 = nil } }
}
