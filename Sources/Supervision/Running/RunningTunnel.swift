import Synchronization
import TunnelClient

/// A tunnel client of the agent.
///
/// It has no task while it runs: there are thousands of tunnels.
final class RunningTunnel: RunningChild {
    let client: TunnelClient
    let ended = Latch()
    private let isToldToFinish = Atomic<Bool>(false)

    init(_ client: TunnelClient) { self.client = client }

    /// Keeps the tunnel up until it gives up, or, after `finish`, until what was in flight is finished.
    ///
    /// - Parameter whenEnded: called then, on any thread.
    func begin(whenEnded: @escaping @Sendable (TunnelClient.RunEnd) -> Void) {
        // Below what obeys signals: else they wait until a hundred thousand that begin have had their turn.
        Task.detached(priority: .utility) {
            self.client.start { end in
                self.ended.open()
                whenEnded(end)
            }
        }
    }

    var isFinishing: Bool { isToldToFinish.load(ordering: .relaxed) }

    func finish() {
        isToldToFinish.store(true, ordering: .relaxed)
        client.stop()
    }

    func cut() { client.close() }
}
