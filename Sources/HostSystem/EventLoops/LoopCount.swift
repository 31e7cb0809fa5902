package import NIOCore
import Synchronization

/// What one event loop counts: plain values in an object that is touched on that loop alone, so that counting costs no more
/// than an addition; and what others see of them: as they were when somebody last asked (`ask`).
package final class LoopCount<Counts: AnyObject, Told: Sendable>: Sendable {
    private let eventLoop: any EventLoop
    private let box: NIOLoopBoundBox<Counts>
    private let told: Mutex<Told>
    private let tell: @Sendable (Counts) -> Told

    /// - Parameters:
    ///   - counts: nobody else's.
    ///   - told: what is seen before anybody asks.
    ///   - tell: called on the event loop.
    package init(
        _ counts: sending Counts, on eventLoop: any EventLoop, told: Told,
        by tell: @escaping @Sendable (Counts) -> Told
    ) {
        self.eventLoop = eventLoop
        self.box = .makeBoxSendingValue(counts, eventLoop: eventLoop)
        self.told = Mutex(told)
        self.tell = tell
    }

    /// For the event loop alone. Who counts often keeps the object.
    package var counts: Counts { box.value }

    /// Whether it is that event loop's.
    package func isOf(_ eventLoop: any EventLoop) -> Bool { self.eventLoop === eventLoop }

    /// What its event loop said when it was last asked.
    package var lastTold: Told { told.withLock { $0 } }

    private func tellNow() {
        let new = tell(box.value)
        told.withLock { $0 = new }
    }
}

// Asking event loops.
extension LoopCount {
    /// Asked of an event loop in one go: it has others to serve.
    private static var mostAtOnce: Int { 2048 }

    /// Has every event loop say what it has counted, all of them at once.
    ///
    /// - Parameter patience: for a loop that is busy; then what it said before stays `lastTold`.
    package static func ask(_ all: [LoopCount], patience: Duration = .milliseconds(200)) async {
        guard !all.isEmpty else { return }
        // There are few event loops, and thousands of counts maybe.
        var shares: [[LoopCount]] = []
        for count in all {
            if let index = shares.firstIndex(where: { $0[0].isOf(count.eventLoop) }) {
                shares[index].append(count)
            } else {
                shares.append([count])
            }
        }
        let answers = PendingAnswers(shares.count)
        for share in shares { ask(share[...], answers) }
        await answers.wait(atMost: patience)
    }

    /// - Parameter share: all of one event loop.
    private static func ask(_ share: ArraySlice<LoopCount>, _ answers: PendingAnswers) {
        guard let eventLoop = share.first?.eventLoop else { return answers.oneCame() }
        let some = share.prefix(mostAtOnce)
        let rest = share.dropFirst(mostAtOnce)
        eventLoop.execute {
            for count in some { count.tellNow() }
            guard !rest.isEmpty else { return answers.oneCame() }
            // A task for at once would run before sockets are looked at.
            eventLoop.scheduleTask(in: .milliseconds(1)) { ask(rest, answers) }
        }
    }
}

/// How many event loops have yet to answer, and who waits for them.
private final class PendingAnswers: Sendable {
    private struct State {
        var missing: Int
        var isOver = false
        var waiter: CheckedContinuation<Void, Never>?

        mutating func end() -> CheckedContinuation<Void, Never>? {
            isOver = true
            return waiter.take()
        }
    }

    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(missing: count)) }

    func oneCame() {
        let waiter = state.withLock { state in
            state.missing -= 1
            return state.missing == 0 ? state.end() : nil
        }
        waiter?.resume()
    }

    /// Returns when all have come, or it takes too long. For one waiter.
    func wait(atMost patience: Duration) async {
        let timer = Task {
            try? await Task.sleep(for: patience)
            self.state.withLock { $0.end() }?.resume()
        }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiter = continuation }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
        timer.cancel()
    }
}
