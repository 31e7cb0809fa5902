import NIOPosix

/// A thread for work that waits for disks, commands or name servers, off the event loops and the threads of tasks.
/// One after another: a command that hangs holds up its own kind only.
package final class Blocking: Sendable {
    private let pool = NIOThreadPool(numberOfThreads: 1)

    package init() { pool.start() }

    // Work under way is left to itself.
    deinit { pool.shutdownGracefully { _ in } }

    /// Waits for the end of the work, also in a cancelled task: for work that leaves something behind when the process
    /// ends in the middle of it.
    func runToTheEnd<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            pool.submit { _ in continuation.resume(returning: work()) }
        }
    }

    /// - Returns: nil when the task is cancelled first; the work is left to itself then.
    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        let (results, source) = AsyncStream.makeStream(of: Value.self, bufferingPolicy: .bufferingNewest(1))
        pool.submit { state in
            if case .active = state { source.yield(work()) }
            source.finish()
        }
        // A stream ends for a cancelled task.
        for await result in results { return result }
        return nil
    }
}

extension Blocking {
    /// - Parameter isCalledOff: returns when the result is not wanted any more.
    /// - Returns: nil when that was first.
    package func run<Value: Sendable>(
        unless isCalledOff: @escaping @Sendable () async -> Void, _ work: @escaping @Sendable () -> Value
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask { await self.run(work) }
            group.addTask {
                await isCalledOff()
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }
}
