package import NIOCore

/// One timer for a connection whose deadline moves: it is set anew only when it would ring too late, and whoever
/// hears it looks again at what the deadline is by then.
package final class DeadlineTimer {
    private let eventLoop: NIOIsolatedEventLoop
    private var action: (() -> Void)?
    private var scheduled: Scheduled<Void>?
    private var deadline = NIODeadline.distantFuture

    /// Call on the event loop on which it shall ring.
    ///
    /// - Parameter action: kept until `cancel`.
    package init(on eventLoop: any EventLoop, _ action: @escaping () -> Void) {
        self.eventLoop = eventLoop.assumeIsolated()
        self.action = action
    }

    /// Rings at the deadline or before, unless that is never.
    package func ring(by deadline: NIODeadline) {
        guard scheduled == nil ? deadline < .distantFuture : deadline < self.deadline else { return }
        scheduled?.cancel()
        self.deadline = deadline
        scheduled = eventLoop.scheduleTask(deadline: deadline) {
            self.scheduled = nil
            self.action?()
        }
    }

    /// It never rings again.
    package func cancel() {
        scheduled?.cancel()
        scheduled = nil
        action = nil
    }
}
