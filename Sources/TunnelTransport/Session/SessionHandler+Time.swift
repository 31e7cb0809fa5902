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
        let now = MonotonicInstant.now
        lookAtProgress(now: now)
        guard !isOver else { return }
        guard let next = machine.tick(now: now) else {
            end(.peerSilent, closing: .goingAway)
            return
        }
        schedule(tickAt: next)
        flush()
    }

    /// What the kernel has been rid of is a sign of life, and what it is never rid of the contrary.
    func lookAtProgress(now: MonotonicInstant) {
        guard let context, let acknowledged = KernelQueue.acknowledged(context) else { return }
        let buffered = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        let waiting = (KernelQueue.unacknowledged(context) ?? 0) + (buffered ?? 0)
        let finding = progress.observe(
            acknowledged: acknowledged, waiting: waiting, hasMore: machine.hasSomethingToWrite, now: now)
        switch finding {
        case .nothingWaits: break
        case .moving: machine.heard(now: now)
        case .standing(let time):
            // A peer of protocol v1 may have to stop reading while one of its readers is in the way.
            if machine.canProbe, time >= patience { end(.peerStuck, closing: .goingAway) }
        }
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
