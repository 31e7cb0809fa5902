import NIOCore
import TunnelProtocol

/// When a session begins, and looks after itself.
extension SessionHandler {
    func start() {
        guard wheel == nil, !isOver, let context else { return }
        wheel = KeepaliveWheel.of(context.eventLoop)
        flush()
        tick()
        guard !machine.isReady, !isOver else { return }
        settingsTimer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.settingsPatience) {
            self.end(.peerMisbehaved("it did not say who it is in time"), closing: .protocolError)
        }
    }

    func tick() {
        guard !isOver else { return }
        guard let next = machine.tick(now: .now) else {
            end(.peerSilent, closing: .goingAway)
            return
        }
        schedule(tickAt: next)
        flush()
    }

    /// The wheel has come to the session's turn.
    func tickNow() {
        nextTick = MonotonicInstant(nanoseconds: .max)
        tick()
    }

    func schedule(tickAt instant: MonotonicInstant) {
        guard let wheel else { return }
        leaveWheel()
        nextTick = instant
        wheel.enter(self, turn: KeepaliveWheel.turn(at: instant))
    }

    func letGoOfSettingsTimer() {
        settingsTimer?.cancel()
        settingsTimer = nil
    }

    func leaveWheel() {
        guard nextTick.nanoseconds < .max else { return }
        wheel?.leave(self, turn: KeepaliveWheel.turn(at: nextTick))
        nextTick = MonotonicInstant(nanoseconds: .max)
    }
}
