import DequeModule
import HostSystem
import NIOCore
import TunnelProtocol

/// When the sessions of one event loop are to look after their keepalive: one timer for all, however many there are.
///
/// What is due is gathered into turns of a tenth of a second, so that sessions that were opened together are looked
/// after together; not too many at once, though: where thousands are found dead in one moment, the loop has others to serve
/// in between. Kept by its sessions; used on its loop alone, but for finding it.
final class KeepaliveWheel: Sendable {
    /// Between two turns, in nanoseconds. A tick is late by this much at most.
    private static let step: UInt64 = 100_000_000
    /// Sessions at most that are looked after before the loop goes on with other things.
    static let mostAtOnce = 64
    /// What the loop has for these.
    private static let breather: TimeAmount = .milliseconds(1)

    /// A session's place in the wheel. Used on the loop of the wheel.
    final class Seat {
        private let wheel: KeepaliveWheel
        private let tick: () -> Void
        private var instant = MonotonicInstant(nanoseconds: .max)

        fileprivate init(_ wheel: KeepaliveWheel, _ tick: @escaping () -> Void) {
            self.wheel = wheel
            self.tick = tick
        }

        /// Ticks at that time, once, and at no other.
        ///
        /// - Parameter ifSooner: whether a tick that comes sooner stays in its place.
        func move(to instant: MonotonicInstant, ifSooner: Bool = false) {
            guard !ifSooner || instant < self.instant else { return }
            leave()
            self.instant = instant
            wheel.enter(self, turn: KeepaliveWheel.turn(at: instant))
        }

        /// Ticks no more.
        func leave() {
            guard instant.nanoseconds < .max else { return }
            wheel.leave(self, turn: KeepaliveWheel.turn(at: instant))
            instant = MonotonicInstant(nanoseconds: .max)
        }

        /// That turn has come. The session may have ended, or moved, while it waited.
        fileprivate func ring(_ turn: UInt64) {
            guard KeepaliveWheel.turn(at: instant) == turn else { return }
            instant = MonotonicInstant(nanoseconds: .max)
            tick()
        }
    }

    private struct State {
        var turns: [UInt64: [ObjectIdentifier: Seat]] = [:]
        /// Of the turn that has come, those that were not looked after yet.
        var due = Deque<Seat>()
        var timer: Scheduled<Void>?
        /// The turn that the timer is set for.
        var next = UInt64.max
    }

    private static let wheels = OnePerLoop<KeepaliveWheel>()

    private let eventLoop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    private init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        state = NIOLoopBoundBox(State(), eventLoop: eventLoop)
    }

    /// The wheel of the event loop that this is called on.
    static func of(_ eventLoop: any EventLoop) -> KeepaliveWheel {
        wheels.value(of: eventLoop, orElse: KeepaliveWheel.init)
    }

    /// The first turn at or after this time.
    static func turn(at instant: MonotonicInstant) -> UInt64 {
        let (whole, rest) = instant.nanoseconds.quotientAndRemainder(dividingBy: step)
        return rest > 0 ? whole + 1 : whole
    }

    /// - Parameter tick: called when the seat's time has come.
    func seat(_ tick: @escaping () -> Void) -> Seat { Seat(self, tick) }

    private func enter(_ seat: Seat, turn: UInt64) {
        state.value.turns[turn, default: [:]][ObjectIdentifier(seat)] = seat
        if turn < state.value.next { setTimer(turn) }
    }

    private func leave(_ seat: Seat, turn: UInt64) {
        state.value.turns[turn]?.removeValue(forKey: ObjectIdentifier(seat))
        if state.value.turns[turn]?.isEmpty == true { state.value.turns.removeValue(forKey: turn) }
        guard state.value.turns.isEmpty, state.value.due.isEmpty else { return }
        state.value.timer?.cancel()
        state.value.next = .max
    }

    private func setTimer(_ turn: UInt64) {
        state.value.timer?.cancel()
        state.value.next = turn
        let (time, overflows) = turn.multipliedReportingOverflow(by: Self.step)
        guard !overflows else { return }
        state.value.timer = eventLoop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(time)) {
            self.ring(turn)
        }
    }

    private func ring(_ turn: UInt64) {
        // What is entered meanwhile sets no timer yet.
        state.value.next = 0
        for seat in state.value.turns.removeValue(forKey: turn)?.values ?? [:].values {
            state.value.due.append(seat)
        }
        goOn(turn)
    }

    private func goOn(_ turn: UInt64) {
        for _ in 0..<Self.mostAtOnce {
            guard let seat = state.value.due.popFirst() else { break }
            seat.ring(turn)
        }
        guard state.value.due.isEmpty else {
            state.value.timer = eventLoop.assumeIsolated().scheduleTask(in: Self.breather) { self.goOn(turn) }
            return
        }
        state.value.next = .max
        // Turns are few, however many the sessions: a keepalive interval has so many.
        if let next = state.value.turns.keys.min() { setTimer(next) }
    }
}
