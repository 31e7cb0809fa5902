import HostSystem
import NIOCore
import Synchronization

/// The waits of one event loop: one timer for all of them, however many there are, and each is called off in constant
/// time. A loop looks through all its timers for one that is cancelled: with a hundred thousand tunnels that wait for their
/// next try it would do nothing else. Kept by those who wait.
final class AlarmClock: Sendable {
    /// Between two rings. A wait is longer by this much at most.
    private static let step: UInt64 = 50_000_000

    /// A wait that can be called off.
    struct Alarm {
        fileprivate let clock: AlarmClock
        fileprivate let turn: UInt64
        fileprivate let number: UInt64

        func cancel() { clock.state.withLock { $0.remove(self) } }
    }

    private struct State {
        /// What is to be called, by the turn that it waits for.
        var turns: [UInt64: [UInt64: @Sendable () -> Void]] = [:]
        var lastNumber: UInt64 = 0
        var timer: Scheduled<Void>?
        /// The turn that the timer is set for.
        var next = UInt64.max

        mutating func remove(_ alarm: Alarm) {
            turns[alarm.turn]?.removeValue(forKey: alarm.number)
            if turns[alarm.turn]?.isEmpty == true { turns.removeValue(forKey: alarm.turn) }
        }
    }

    private static let clocks = OnePerLoop<AlarmClock>()

    private let eventLoop: any EventLoop
    private let state = Mutex(State())

    private init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// The clock of an event loop.
    static func of(_ eventLoop: any EventLoop) -> AlarmClock {
        clocks.value(of: eventLoop, orElse: AlarmClock.init)
    }

    /// Calls once after a time, on the event loop, unless it is called off before.
    func set(after wait: Duration, _ call: @escaping @Sendable () -> Void) -> Alarm {
        let due = (NIODeadline.now() + TimeAmount(wait)).uptimeNanoseconds
        let turn = due / Self.step + (due.isMultiple(of: Self.step) ? 0 : 1)
        return state.withLock { state in
            state.lastNumber += 1
            state.turns[turn, default: [:]][state.lastNumber] = call
            if turn < state.next { setTimer(turn, &state) }
            return Alarm(clock: self, turn: turn, number: state.lastNumber)
        }
    }

    private func setTimer(_ turn: UInt64, _ state: inout State) {
        state.timer?.cancel()
        state.next = turn
        state.timer = eventLoop.scheduleTask(deadline: .uptimeNanoseconds(turn * Self.step)) {
            self.ring(turn)
        }
    }

    private func ring(_ turn: UInt64) {
        let calls = state.withLock { state in
            let calls = state.turns.removeValue(forKey: turn)
            state.next = .max
            // Turns are few, however many wait: the longest wait between two tries has so many.
            if let next = state.turns.keys.min() { setTimer(next, &state) }
            return calls
        }
        for call in calls?.values ?? [:].values { call() }
    }
}
