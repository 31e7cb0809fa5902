internal import NIOPosix

/// A thread for work that waits for a disk: one piece after another.
final class DiskThread: Sendable {
    private let pool = NIOThreadPool(numberOfThreads: 1)

    init() { pool.start() }

    // Work under way is left to itself.
    deinit { pool.shutdownGracefully { _ in } }

    /// Begins the work, behind what came before it, and waits for nothing.
    func begin(_ work: @escaping @Sendable () -> Void) { pool.submit { _ in work() } }

    /// Waits for the end of the work, also in a cancelled task.
    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            pool.submit { _ in continuation.resume(returning: work()) }
        }
    }
}
