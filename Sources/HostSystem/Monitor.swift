import Synchronization

/// State behind a lock, and tasks that wait until it is as they want it.
///
/// Each who waits says what he looks for, and is asked again after each change, while the lock is held: he is told what
/// he found even when the next change takes it away.
package final class Monitor<State: Sendable>: Sendable {
    /// Ends a wait; once.
    private struct End: Sendable {
        let tell: @Sendable () -> Void
    }

    private struct Waiter: Sendable {
        /// Gives an end when the state is as wanted.
        let look: @Sendable (State) -> End?
        /// The end without that.
        let giveUp: End
    }

    private struct Guarded: Sendable {
        var state: State
        var waiters: [UInt64: Waiter] = [:]
        var lastNumber: UInt64 = 0

        /// - Returns: what ends the wait at once, when it need not begin.
        mutating func add(_ waiter: Waiter, _ number: UInt64) -> End? {
            if let end = waiter.look(state) { return end }
            // A cancellation that comes before this is seen here, one after it finds the waiter.
            if Task.isCancelled { return waiter.giveUp }
            waiters[number] = waiter
            return nil
        }

        mutating func takeSatisfied() -> [End] {
            var satisfied: [End] = []
            for (number, waiter) in waiters {
                guard let end = waiter.look(state) else { continue }
                waiters[number] = nil
                satisfied.append(end)
            }
            return satisfied
        }
    }

    private let guarded: Mutex<Guarded>

    package init(_ state: State) { guarded = Mutex(Guarded(state: state)) }

    /// Looks at the state.
    package func read<Value: Sendable>(_ body: (State) -> Value) -> Value {
        guarded.withLock { body($0.state) }
    }

    /// Changes the state, and wakes those who waited for that.
    @discardableResult
    package func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        let (value, satisfied) = guarded.withLock { guarded in
            (body(&guarded.state), guarded.takeSatisfied())
        }
        for end in satisfied { end.tell() }
        return value
    }

    /// Waits until something is found.
    ///
    /// - Parameters:
    ///   - find: what is looked for; called under the lock, first at once. Must not use this monitor.
    ///   - begun: called when there is something to wait for, with a function that ends the wait from any thread.
    /// - Returns: nil when the wait was given up, or the task is cancelled.
    package func wait<Found: Sendable>(
        for find: @escaping @Sendable (State) -> Found?,
        begun: (_ giveUp: @escaping @Sendable () -> Void) -> Void = { _ in }
    ) async -> Found? {
        let number = guarded.withLock { guarded in
            guarded.lastNumber += 1
            return guarded.lastNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if mustWait(number, for: find, continuation) { begun { self.giveUp(number) } }
            }
        } onCancel: {
            giveUp(number)
        }
    }

    /// - Returns: false when there is an answer already.
    private func mustWait<Found: Sendable>(
        _ number: UInt64, for find: @escaping @Sendable (State) -> Found?,
        _ continuation: CheckedContinuation<Found?, Never>
    ) -> Bool {
        let waiter = Waiter(
            look: { state in find(state).map { found in End { continuation.resume(returning: found) } } },
            giveUp: End { continuation.resume(returning: nil) })
        let answer = guarded.withLock { $0.add(waiter, number) }
        answer?.tell()
        return answer == nil
    }

    private func giveUp(_ number: UInt64) {
        guarded.withLock { $0.waiters.removeValue(forKey: number) }?.giveUp.tell()
    }
}
