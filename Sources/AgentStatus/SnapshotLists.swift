/// Some of an agent's tunnel servers, without the tokens and names that lead to them.
package struct ServerList: Codable, Hashable, Sendable {
    /// In the order of their names.
    package var servers: [ServerSnapshot]
    /// How many there are of what was asked for.
    package var total: Int

    package init(servers: [ServerSnapshot], total: Int) {
        self.servers = servers
        self.total = total
    }
}

/// Some of an agent's tunnels, the clients' side.
package struct TunnelList: Codable, Hashable, Sendable {
    /// In the order of their names.
    package var tunnels: [TunnelSnapshot]
    /// How many there are of what was asked for.
    package var total: Int

    package init(tunnels: [TunnelSnapshot], total: Int) {
        self.tunnels = tunnels
        self.total = total
    }
}

/// Some of an agent's sessions, at either end.
package struct SessionList: Codable, Hashable, Sendable {
    /// In the order of servers and tunnels.
    package var sessions: [SessionSnapshot]
    /// How many there are of what was asked for.
    package var total: Int

    package init(sessions: [SessionSnapshot], total: Int) {
        self.sessions = sessions
        self.total = total
    }
}

extension Array {
    /// The first of them in an order. Each is moved once, however large, and not at every step of sorting.
    package func inOrder(most: Int = .max, by isBefore: (Element, Element) -> Bool) -> [Element] {
        indices.sorted { isBefore(self[$0], self[$1]) }.prefix(most).map { self[$0] }
    }
}
