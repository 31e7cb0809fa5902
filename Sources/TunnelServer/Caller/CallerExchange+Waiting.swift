import NIOCore
import Observability
import TunnelTransport

/// A request that waits for its tunnel, for room in it, or for anything to be heard of it.
extension CallerExchange {
    /// The server stops taking requests: those that wait would wait in vain.
    func serverStops() {
        if case .waiting = phase { abort(with: .stopping, .shutdown) }
    }

    func assigned(_ id: TunnelRegistry.Table.SessionID, _ session: SessionReference) {
        guard case .waiting(_, let timer) = phase else {
            // It gave up meanwhile; the place goes to the next.
            core.registry.streamEnded(id)
            return
        }
        timer.cancel()
        attach(id, session)
        if takesBytes { connection?.exchangeBecameWritable() }
    }

    func wait(_ id: TunnelRegistry.Table.RequestID, until deadline: NIODeadline) {
        let timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { self.waitedTooLong() }
        phase = .waiting(id, timer)
    }

    /// For its tunnel, for room in it, or for anything to be heard of it.
    func waitedTooLong() {
        guard case .waiting(let id, _) = phase else { return }
        let isTimeOver = queueDeadline.map { $0 <= eventLoop.now } ?? true
        if !isTimeOver, let queueDeadline, core.registry.hasSeen(token) {
            return wait(id, until: queueDeadline)
        }
        guard core.registry.abandon(token, id) else { return }
        phase = .over
        let reason: Refusal =
            !isTimeOver ? .tunnelNotFound : core.registry.isUp(token) ? .tunnelBusy : .tunnelTimeout
        fail(reason, .noTunnel)
    }
}
