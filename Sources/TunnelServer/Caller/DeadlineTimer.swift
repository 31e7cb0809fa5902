import NIOCore

/// One timer for a connection whose deadline moves: it is set anew only when it would ring too late, and whoever
/// hears it looks again at what the deadline is by then.
final class DeadlineTimer {
    private let eventLoop: NIOIsolatedEventLoop
    private var scheduled: Scheduled<Void>?
    private var deadline = NIODeadline.distantFuture

    /// Call on the event loop on which it shall ring.
    init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop.assumeIsolated() }

    /// Rings at the deadline or before.
    func ring(by deadline: NIODeadline, _ action: @escaping () -> Void) {
        guard scheduled == nil || deadline < self.deadline else { return }
        scheduled?.cancel()
        self.deadline = deadline
        scheduled = eventLoop.scheduleTask(deadline: deadline) {
            self.scheduled = nil
            action()
        }
    }

    func cancel() {
        scheduled?.cancel()
        scheduled = nil
    }
}
