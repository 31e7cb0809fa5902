/// How many servers and tunnels have tasks that run, the leaving ones included.
@AgentActor final class Children {
    private var count = 0
    private var whenNone: (() -> Void)?

    func began() { count += 1 }

    func ended() {
        count -= 1
        tellIfNone()
    }

    /// Has somebody told when none is left; at once when there is none.
    func whenNone(_ tell: @escaping () -> Void) {
        whenNone = tell
        tellIfNone()
    }

    private func tellIfNone() { if count == 0 { whenNone?() } }
}

/// A server or tunnel of the agent.
protocol RunningChild: Sendable {
    /// Has it finish and end.
    func finish()
    /// Whether it was told to.
    var isFinishing: Bool { get }
    /// Opened once it has ended.
    var ended: Latch { get }
    /// Ends at once what is in flight.
    func cut()
}

extension RunningChild {
    /// Has it finish; what is still in flight after the grace is cut.
    func leave(grace: Duration, in group: inout DiscardingTaskGroup) {
        guard !isFinishing else { return }
        finish()
        group.addTask {
            let hasEnded = await ended.wait(atMost: grace)
            if !hasEnded { cut() }
        }
    }
}
