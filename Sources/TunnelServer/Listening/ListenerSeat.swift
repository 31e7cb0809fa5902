import Synchronization

/// Which listener a server has, and who waits to hear that it failed.
final class ListenerSeat: Sendable {
    private struct State {
        var current: Listener?
        var lastID = 0
        var failure: String?
        var isOver = false
        var lastWaiter = 0
        var waiters: [Int: CheckedContinuation<String?, Never>] = [:]
    }

    private let state = Mutex(State())

    var current: Listener? { state.withLock { $0.current } }

    /// Why there is no listener although there should be; nil while there is one, or should be none.
    var failure: String? { state.withLock { $0.failure } }

    func nextID() -> Int {
        state.withLock {
            $0.lastID += 1
            return $0.lastID
        }
    }

    /// Puts a listener in the place of the one before.
    ///
    /// - Returns: that one; or the new one, when there is to be none any more.
    func seat(_ listener: Listener) -> Listener? {
        state.withLock { state in
            guard !state.isOver else { return listener }
            defer {
                state.current = listener
                state.failure = nil
            }
            return state.current
        }
    }

    /// A listener closed although nobody asked.
    func failed(_ id: Int, _ reason: String) {
        let waiters: [CheckedContinuation<String?, Never>]? = state.withLock { state in
            guard state.current?.id == id else { return nil }
            state.current = nil
            state.failure = reason
            return Self.takeWaiters(&state)
        }
        for waiter in waiters ?? [] { waiter.resume(returning: reason) }
    }

    /// There is to be no listener any more.
    ///
    /// - Returns: the one that was there.
    func end() -> Listener? {
        let (listener, waiters) = state.withLock { state in
            defer {
                state.current = nil
                state.failure = nil
                state.isOver = true
            }
            return (state.current, Self.takeWaiters(&state))
        }
        for waiter in waiters { waiter.resume(returning: nil) }
        return listener
    }

    /// Waits for a failure; nil when there will be none, or the task is cancelled.
    func untilFailure() async -> String? {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: String?? = state.withLock { state in
                    if let failure = state.failure { return .some(failure) }
                    // A cancellation that comes before this is seen here, one after it finds the waiter.
                    guard !state.isOver, !Task.isCancelled else { return .some(nil) }
                    state.waiters[id] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
        }
    }

    private static func takeWaiters(_ state: inout State) -> [CheckedContinuation<String?, Never>] {
        defer { state.waiters = [:] }
        return Array(state.waiters.values)
    }
}
