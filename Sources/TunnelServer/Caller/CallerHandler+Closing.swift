import NIOCore
import Observability
import TunnelProtocol
import TunnelTransport

/// How a connection ends.
extension CallerHandler {
    /// What may wait here for a caller beside what the budget of the process allows, in bytes.
    private static let freelyWaiting = 64 << 10

    /// The connection says nothing more: what was written goes out, then it ends. See `Farewell`.
    func sayFarewell(_ manner: Farewell.Manner, isDelimited: Bool) {
        guard context != nil, let output else { return }
        phase = .lingering
        input = ByteBuffer()
        http = nil
        output.flushNow()
        let limits = core.limits
        farewell = Farewell(
            manner, isDelimited: isDelimited,
            patience: .init(
                stalled: settings.httpTimeout, silence: limits.lingerTimeout,
                lingering: limits.longestLingering),
            now: eventLoop.now)
        if isLeaving { farewell?.leave() }
        waitingAtLast = output.waiting
        // The stream's credit is given back: what the next one fetches would come on top.
        guard borrow(output.waiting - Self.freelyWaiting) else {
            return isDelimited ? output.close() : output.reset()
        }
        let whenSent = { [self] (isSent: Bool) in
            guard isSent, context != nil else { return }
            giveBack()
            tellOut(missing: 0)
            farewell?.sent()
            checkTime()
        }
        if case .linger = manner { output.closeOutput(whenSent) } else { output.whenSent(whenSent) }
        checkTime()
        readOnIfHeld()
    }

    /// Closes our direction, and reads on for a moment: a connection closed with bytes unread is reset, and the
    /// caller might lose the answer.
    func linger() { sayFarewell(.linger, isDelimited: true) }

    func checkFarewell() {
        guard let output, let step = farewell?.next(undelivered: output.undelivered, now: eventLoop.now)
        else {
            return
        }
        waitingAtLast = output.waiting
        switch step {
        case .wait(let deadline): watch(until: deadline)
        case .close: output.close()
        case .reset: output.reset()
        }
    }

    /// The connection is over.
    func endFarewell() {
        giveBack()
        tellOut(missing: waitingAtLast)
    }

    private func tellOut(missing: Int) {
        let exchange = brokenExchange
        brokenExchange = nil
        exchange?.answerIsOut(missing: missing)
    }

    private func borrow(_ count: Int) -> Bool {
        guard count > 0 else { return true }
        guard core.budget.take(count) else { return false }
        borrowed += count
        return true
    }

    private func giveBack() {
        if borrowed > 0 { core.budget.giveBack(borrowed) }
        borrowed = 0
    }
}
