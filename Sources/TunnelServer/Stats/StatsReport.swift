import AgentStatus

/// What `/_stats` says, in the Go program's words: `key=value`, a line each.
package struct StatsReport: Sendable {
    /// A tunnel that was not heard of for so long counts as dead.
    private static let longestSilence: Duration = .seconds(60)

    /// One token.
    package struct Tunnel: Sendable {
        package var tokenHint: String
        /// Requests that wait, and those that its sessions carry.
        package var pending: Int
        /// Tunnel clients.
        package var clients: Int
        /// Who last sent a request.
        package var lastCaller: String
        /// The session that was last heard of, or the last that there was; nil where there never was one.
        package var session: Session?

        package init(
            tokenHint: String, pending: Int, clients: Int, lastCaller: String, session: Session?
        ) {
            self.tokenHint = tokenHint
            self.pending = pending
            self.clients = clients
            self.lastCaller = lastCaller
            self.session = session
        }
    }

    package struct Session: Sendable {
        package var address: String
        /// Its reverse DNS name, once it is known.
        package var name: String?
        package var software: String
        /// Since the client was last heard of.
        package var idle: Duration

        package init(address: String, name: String?, software: String, idle: Duration) {
            self.address = address
            self.name = name
            self.software = software
            self.idle = idle
        }
    }

    package var maximumWaiting: Int
    package var maximumClients: Int?
    /// In the order of their tokens.
    package var tunnels: [Tunnel]

    package init(maximumWaiting: Int, maximumClients: Int?, tunnels: [Tunnel]) {
        self.maximumWaiting = maximumWaiting
        self.maximumClients = maximumClients
        self.tunnels = tunnels
    }

    /// What anybody may know.
    package static func brief(tunnels: Int) -> String {
        "tunnels=\(tunnels)\nMore stats available when called from localhost...\n"
    }

    /// Everything, for callers on this machine.
    package var text: String {
        var text = "tunnels=\(tunnels.count)\n"
        text += "max_requests_per_tunnel=\(maximumWaiting)\nmax_clients_per_token=\(maximumClients ?? 0)\n"
        if maximumClients != nil {
            for tunnel in tunnels where tunnel.clients > 0 {
                text += "token_clients_\(tunnel.tokenHint.undeceiving)=\(tunnel.clients)\n"
            }
            text += "total_clients=\(tunnels.reduce(0) { $0 + $1.clients })\n"
        }
        for (index, tunnel) in tunnels.enumerated() {
            text += "\n" + Self.text(tunnel, index < 10 ? "tunnel0\(index)" : "tunnel\(index)")
        }
        let dead = tunnels.count { tunnel in
            tunnel.session.map { $0.idle > Self.longestSilence } ?? true
        }
        return text + "\nreq_pending=\(tunnels.reduce(0) { $0 + $1.pending })\ndead_tunnels=\(dead)\n"
    }

    private static func text(_ tunnel: Tunnel, _ prefix: String) -> String {
        var text =
            "\(prefix)_token=\(tunnel.tokenHint.undeceiving)\n\(prefix)_req_pending=\(tunnel.pending)\n"
        if let session = tunnel.session {
            text += "\(prefix)_tun_addr=\(session.address)\n"
            if let name = session.name { text += "\(prefix)_tun_dns=\(name.undeceiving)\n" }
            if !session.software.isEmpty {
                text += "\(prefix)_client_version=\(session.software.undeceiving)\n"
            }
            text += "\(prefix)_idle_secs=\(tenths(session.idle))\n"
        } else {
            text += "\(prefix)_idle_secs=NaN\n"
        }
        if tunnel.pending > 0 { text += "\(prefix)_cli_addr=\(tunnel.lastCaller.undeceiving)\n" }
        return text
    }

    private static func tenths(_ duration: Duration) -> String {
        let tenths = max(
            0, duration.components.seconds * 10 + duration.components.attoseconds / 100_000_000_000_000_000)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
