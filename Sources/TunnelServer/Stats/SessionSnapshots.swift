import AgentStatus
import HostSystem
import Routing
import TunnelProtocol
import TunnelTransport

extension ServerCore {
    /// Every session, in no order.
    var sessionSnapshots: [SessionSnapshot] {
        // A port's sessions are its server's.
        guard settings.tcp == nil else { return [] }
        let carried = connections.sessions
        let (now, unixTime) = (MonotonicInstant.now, UnixTime.now)
        return registry.standings.map { standing, session in
            let silence = now.since(session.reference.lastHeard).components.seconds
            return SessionSnapshot(
                id: standing.id, server: name, tunnel: session.tunnelName, tokenHint: standing.token.hint,
                tokenTag: ConnectedToken.tag(of: standing.token), address: session.address,
                addressName: names.name(of: session.address), software: session.software,
                certificateName: session.certificateName,
                transport: carried[standing.id]?.isLongPoll == true ? .longpoll : .websocket,
                protocolVersion: session.protocolVersion.rawValue, since: session.since,
                heardAt: unixTime - Int(silence), streams: standing.openStreams,
                isDraining: standing.isDraining)
        }
    }
}
