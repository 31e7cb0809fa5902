package import NIOCore
import Synchronization

/// Finds out how late one event loop is: by a timer of its own, and how long that is overdue when somebody looks.
package final class LoopDelayProbe: Sendable {
    static let interval: TimeAmount = .milliseconds(500)

    private let eventLoop: any EventLoop
    /// When the timer is to ring, by the loop's clock.
    private let due: Atomic<UInt64>
    /// The worst since somebody last looked, in nanoseconds.
    private let worst = Atomic<UInt64>(0)
    private let isStopped = Atomic<Bool>(false)

    /// Begins, until it is stopped.
    package init(on eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        let first = eventLoop.now + Self.interval
        due = Atomic(first.uptimeNanoseconds)
        schedule(first)
    }

    /// How late it is, or was since the last time it was asked. From any thread.
    package func take() -> Duration {
        .nanoseconds(max(worst.exchange(0, ordering: .relaxed), overdue))
    }

    package func stop() { isStopped.store(true, ordering: .relaxed) }

    private var overdue: UInt64 {
        let (now, due) = (eventLoop.now.uptimeNanoseconds, due.load(ordering: .relaxed))
        return now > due ? now - due : 0
    }

    private func schedule(_ deadline: NIODeadline) {
        due.store(deadline.uptimeNanoseconds, ordering: .relaxed)
        eventLoop.scheduleTask(deadline: deadline) { self.rang() }
    }

    private func rang() {
        worst.max(overdue, ordering: .relaxed)
        guard !isStopped.load(ordering: .relaxed) else { return due.store(.max, ordering: .relaxed) }
        schedule(eventLoop.now + Self.interval)
    }
}
