import HTTPMessage
import NIOCore
import Routing
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol
import TunnelTransport

// Sessions that come by ordinary requests.
extension TunnelHandshake {
    /// Looks at the first request of a session. What it takes is made when the next one comes.
    ///
    /// - Returns: the name of the session.
    /// - Throws: the answer for a client that may not come in.
    func openLongPoll(
        _ head: RequestHead, _ framing: BodyFraming, listener: Int, on eventLoop: any EventLoop
    ) throws(Refusal) -> String {
        guard settings.offersLongPoll else { throw .longPollOff }
        guard head.fields.first(named: LongPollHTTP.innerField) == nil else {
            return try openWithInnerTLS(head, listener: listener, on: eventLoop)
        }
        let (credentials, client) = try admit(head, framing, by: .longPoll)
        let (core, address, endpoint, certificateName) = (core, address, endpoint, certificate?.name)
        let budget = core.budgets.budget(of: credentials.token)
        return enter(on: seat(for: credentials), budget: budget, now: eventLoop.now) { pipe in
            let session = ServerSession(
                core: core, credentials: credentials, client: client, address: address, endpoint: endpoint,
                certificateName: certificateName, isLongPoll: true, eventLoop: pipe.eventLoop
            ).makeSession(oldSoftware: nil)
            try pipe.pipeline.syncOperations.addHandler(WebSocketCarrier(session, isMasked: false))
        }
    }

    /// The same where all that is to be known is said in TLS inside.
    private func openWithInnerTLS(
        _ head: RequestHead, listener: Int, on eventLoop: any EventLoop
    ) throws(Refusal) -> String {
        guard let tls = settings.innerTLS else { throw .noInnerTLS }
        guard head.method == "POST" else { throw .notPOST }
        guard !core.isStopping else { throw .stopping }
        let this = self
        return enter(on: core.nextLoop(), budget: core.budget, now: eventLoop.now) { pipe in
            try this.addInside(to: pipe, tls, listener, isLongPoll: true)
        }
    }

    private func enter(
        on seatLoop: any EventLoop, budget: any ReceiveBudget, now: NIODeadline,
        addHandlers: @escaping @Sendable (PipeChannel) throws -> Void
    ) -> String {
        let certificateName = certificate?.name
        return LongPollTable.ofProcess.enter(from: AddressGroup(address), now: now) { name in
            LongPollSeat(name, on: seatLoop, certificateName: certificateName) { eventLoop, close in
                let link = LongPollServerLink(on: eventLoop, budget: budget) {
                    LongPollTable.ofProcess.leave(name)
                    close()
                }
                try link.open(addHandlers)
                return link
            }
        }
    }

    /// The event loop where the token has the fewest sessions; of several the next in turn.
    private func seat(for credentials: TunnelCredentials) -> any EventLoop {
        let counts = core.registry.sessionsPerLoop(credentials.token, loops: core.loops.count)
        let next = core.nextLoop()
        return core.loops[SessionSeating.choose(counts: counts, current: core.index(of: next))]
    }
}
