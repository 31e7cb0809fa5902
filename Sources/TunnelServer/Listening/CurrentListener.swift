import HostSystem

/// Which listener a server has, and who waits to hear that it failed.
final class CurrentListener: Sendable {
    private struct State {
        var current: Listener?
        var lastID = 0
        var failure: String?
        var isOver = false
    }

    private let monitor = Monitor(State())

    var value: Listener? { monitor.read { $0.current } }

    /// Why there is no listener although there should be; nil while there is one, or should be none.
    var failure: String? { monitor.read { $0.failure } }

    func nextID() -> Int {
        monitor.change {
            $0.lastID += 1
            return $0.lastID
        }
    }

    /// Puts a listener in the place of the one before.
    ///
    /// - Returns: that one; or the new one, when there is to be none any more.
    func replace(by listener: Listener) -> Listener? {
        monitor.change { state in
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
        monitor.change { state in
            guard state.current?.id == id else { return }
            state.current = nil
            state.failure = reason
        }
    }

    /// There is to be no listener any more.
    ///
    /// - Returns: the one that was there.
    func end() -> Listener? {
        monitor.change { state in
            defer {
                state.current = nil
                state.failure = nil
                state.isOver = true
            }
            return state.current
        }
    }

    /// Waits for a failure; nil when there will be none, or the task is cancelled.
    func untilFailure() async -> String? {
        let end = await monitor.wait { state -> String?? in
            if let failure = state.failure { return .some(failure) }
            return state.isOver ? .some(nil) : nil
        }
        return end ?? nil
    }
}
