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

    private struct State {
        var turns: [UInt64: [ObjectIdentifier: SessionHandler]] = [:]
        /// Of the turn that has come, those that were not looked after yet.
        var due = FIFO<SessionHandler>()
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

    /// Ticks the session in that turn, once.
    func enter(_ session: SessionHandler, turn: UInt64) {
        state.value.turns[turn, default: [:]][ObjectIdentifier(session)] = session
        if turn < state.value.next { setTimer(turn) }
    }

    /// The session is not ticked in that turn.
    func leave(_ session: SessionHandler, turn: UInt64) {
        state.value.turns[turn]?.removeValue(forKey: ObjectIdentifier(session))
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
        for session in state.value.turns.removeValue(forKey: turn)?.values ?? [:].values {
            state.value.due.append(session)
        }
        goOn(turn)
    }

    private func goOn(_ turn: UInt64) {
        for _ in 0..<Self.mostAtOnce {
            guard let session = state.value.due.popFirst() else { break }
            // It may have ended, or moved, while it waited.
            if Self.turn(at: session.nextTick) == turn { session.tickNow() }
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
