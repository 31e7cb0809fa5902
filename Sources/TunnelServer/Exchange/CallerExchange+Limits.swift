import HTTPServing
import NIOCore
import Routing
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

// Limits that hold while a request goes on: how many bytes pass in a second, and how slow its body may be. For who has none
// each costs a look at an optional.
extension CallerExchange {
    /// How long bytes are held back.
    struct Hold {
        let until: NIODeadline
        let timer: Scheduled<Void>
    }

    /// So many bytes of the bodies pass: no more may, for as long as that is too many.
    func bytesPass(_ count: Int) {
        guard let time = pass?.passed(count) else { return }
        let until = eventLoop.now + TimeAmount(time)
        guard hold.map({ $0.until < until }) ?? true else { return }
        hold?.timer.cancel()
        let timer = eventLoop.assumeIsolated().scheduleTask(deadline: until) { self.release() }
        hold = Hold(until: until, timer: timer)
    }

    /// A request goes on to its end when the token's bytes are used up under way; what is raw has no end of its own.
    func endWhereOverdrawn() {
        guard machine.isRaw, pass?.isOverdrawn == true else { return }
        perform(machine.fail(.overdrawn))
    }

    private func release() {
        hold = nil
        bodyMayGoOn()
        goOnAfterHold()
    }

    /// The last bytes of an answer are about to go out, to a caller that keeps up: the request is over before he can send
    /// another. One who does not has a place until he has taken them.
    func answerGoesOut(isLast: Bool) {
        if isLast, isRequestWhole, hold == nil, stream.isWritable { pass?.leave() }
    }

    /// Nothing is due of one that goes no further.
    func endLimits() {
        pass?.leave()
        hold?.timer.cancel()
        hold = nil
        bodyClock = nil
    }

    // MARK: Slow bodies

    /// A stream carries the request: from now on its body may come.
    func bodyBegins() {
        guard let pace = settings.callerLimits.bodyPace, !isRequestWhole else { return }
        bodyClock = BodyClock(pace, now: eventLoop.instant)
        checkTime()
    }

    /// Bytes of the body are taken again.
    func bodyMayGoOn() {
        bodyClock?.restart(now: eventLoop.instant)
    }

    func bodyCame(_ count: Int) {
        guard bodyClock != nil else { return }
        bodyClock?.came(count, now: eventLoop.instant)
    }

    /// - Returns: whether the body is too slow; otherwise it is looked at again in time.
    func isBodyTooSlow() -> Bool {
        guard var clock = bodyClock, !isRequestWhole else { return false }
        let now = eventLoop.instant
        if clock.isDue(now) {
            guard !takesBytes else { return true }
            // It is held back.
            clock.restart(now: now)
            bodyClock = clock
        }
        stream.ring(by: .uptimeNanoseconds(clock.deadline.nanoseconds))
        return false
    }
}
