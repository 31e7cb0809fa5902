import HostSystem

/// Opened once, waited for by many.
final class Latch: Sendable {
    private let monitor = Monitor(false)

    var isOpen: Bool { monitor.read { $0 } }

    func open() { monitor.change { $0 = true } }

    /// Returns when it is open, or the task is cancelled.
    func wait() async { await monitor.wait { isOpen -> Void? in isOpen ? () : nil } }

    /// Waits, but not for ever.
    ///
    /// - Returns: whether it is open.
    func wait(atMost limit: Duration) async -> Bool {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
        return isOpen
    }
}
