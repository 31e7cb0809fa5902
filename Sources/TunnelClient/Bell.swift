import NIOCore
import Synchronization

/// Wakes those who wait, from any thread.
final class Bell: Sendable {
    private struct State {
        var rings = 0
        var nextID = 0
        var waiting: [Int: EventLoopPromise<Void>] = [:]
    }

    private let state = Mutex(State())

    /// How often it has rung. Who notes it before he looks at what he waits for misses nothing.
    var rings: Int { state.withLock { $0.rings } }

    func ring() {
        let waiting = state.withLock { state in
            state.rings += 1
            defer { state.waiting = [:] }
            return state.waiting
        }
        for promise in waiting.values { promise.succeed() }
    }

    /// Waits until it has rung more often than that, the time is over, or the task is cancelled.
    func wait(beyond rings: Int, atMost limit: Duration? = nil, on eventLoop: any EventLoop) async {
        let promise = eventLoop.makePromise(of: Void.self)
        let id = state.withLock { state -> Int? in
            guard state.rings <= rings else { return nil }
            state.nextID += 1
            state.waiting[state.nextID] = promise
            return state.nextID
        }
        guard let id else { return promise.succeed() }
        let alarm = limit.map { AlarmClock.of(eventLoop).set(after: $0) { self.wake(id) } }
        await withTaskCancellationHandler {
            try? await promise.futureResult.get()
        } onCancel: {
            wake(id)
        }
        alarm?.cancel()
    }

    private func wake(_ id: Int) {
        state.withLock { $0.waiting.removeValue(forKey: id) }?.succeed()
    }
}
