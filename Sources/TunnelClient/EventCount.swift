import HostSystem
import NIOCore

/// Counts events, and wakes those who wait for the next one, from any thread.
final class EventCount: Sendable {
    private let monitor = Monitor(0)

    /// How many there were. Who notes it before he looks at what he waits for misses nothing.
    var value: Int { monitor.read { $0 } }

    /// One more has happened.
    func add() { monitor.change { $0 += 1 } }

    /// Waits until there were more than that, the time is over, or the task is cancelled.
    func wait(beyond value: Int, atMost limit: Duration? = nil, on eventLoop: any EventLoop) async {
        var alarm: AlarmClock.Alarm?
        await monitor.wait(for: { count -> Void? in count > value ? () : nil }) { giveUp in
            alarm = limit.map { AlarmClock.of(eventLoop).set(after: $0, giveUp) }
        }
        alarm?.cancel()
    }
}
