/// A line of the table: a server, a tunnel that is connected to one, or a tunnel of the agent's own.
struct TopRow: Sendable {
    struct ID: Hashable, Sendable {
        enum Kind: Int, Hashable, Sendable { case server, connected, tunnel }
        var kind: Kind
        /// The server of one that is connected.
        var server = ""
        var name: String
        /// Tells apart tokens that bear one name.
        var tag = ""
    }

    /// What counts up.
    struct Counts: Sendable {
        var requests: UInt64
        /// Nil where it is not told.
        var bytes: UInt64?
    }

    var id: ID
    var name: String
    var state: String
    var isDown: Bool
    /// Leaves, or has less than it should.
    var isUneasy: Bool
    /// Where it listens or leads.
    var place: String
    var sessions: String
    var inFlight: Int?
    var counts: Counts
    var fault: FaultSnapshot?
    /// Per second; nil before it is known.
    var requestRate: Double?
    var byteRate: Double?
}

extension AgentSnapshot {
    /// Servers, what is connected to them, and tunnels.
    var topRows: [TopRow] {
        let down = Set(troubled.tunnels.map(\.name))
        return servers.flatMap { server in
            [TopRow(server)] + (server.connected ?? []).map { TopRow($0, server) }
        }
            + tunnels.map { TopRow($0, isDown: down.contains($0.name)) }
    }
}

extension TopRow {
    fileprivate init(_ server: ServerSnapshot) {
        let pending = (server.connected ?? []).reduce(server.waiting) { $0.addingClamped($1.pending) }
        self.init(
            id: ID(kind: .server, name: server.name), name: server.name, state: server.state.rawValue,
            isDown: server.state == .failed || !(server.faults ?? []).isEmpty,
            isUneasy: server.state == .draining, place: server.address, sessions: "\(server.sessions)",
            inFlight: server.connected == nil || (server.moreConnected ?? 0) > 0 ? nil : pending,
            counts: Counts(server.traffic), fault: server.faults?.last ?? server.lastFault,
            requestRate: server.traffic.requestsPerSecond)
    }

    fileprivate init(_ token: ConnectedToken, _ server: ServerSnapshot) {
        self.init(
            id: ID(kind: .connected, server: server.name, name: token.name, tag: token.tokenTag),
            name: token.name.isEmpty ? token.tokenHint : token.name, state: "up", isDown: false,
            isUneasy: token.sessions == 0, place: "\(server.name) < \(token.address)",
            sessions: "\(token.sessions)", inFlight: token.pending, counts: Counts(requests: token.requests))
    }

    fileprivate init(_ tunnel: TunnelSnapshot, isDown: Bool) {
        let isDown = isDown && tunnel.state != .draining
        self.init(
            id: ID(kind: .tunnel, name: tunnel.name), name: tunnel.name, state: tunnel.state.rawValue,
            isDown: isDown, isUneasy: tunnel.state == .draining || tunnel.connections.count < tunnel.wanted,
            place: tunnel.server, sessions: "\(tunnel.connections.count)/\(tunnel.wanted)",
            counts: Counts(tunnel.traffic), fault: tunnel.lastFault,
            requestRate: tunnel.traffic.requestsPerSecond)
    }
}

extension TopRow.Counts {
    fileprivate init(_ traffic: TrafficSnapshot) {
        self.init(
            requests: traffic.requests, bytes: traffic.requestBytes &+ traffic.responseBytes)
    }

    /// Per second, after so many milliseconds; nil where it began anew meanwhile.
    func rates(since before: TopRow.Counts, _ milliseconds: Int64) -> (requests: Double?, bytes: Double?) {
        guard milliseconds > 0, requests >= before.requests else { return (nil, nil) }
        let seconds = Double(milliseconds) / 1000
        let requestRate = Double(requests - before.requests) / seconds
        guard let bytes, let earlier = before.bytes, bytes >= earlier else { return (requestRate, nil) }
        return (requestRate, Double(bytes - earlier) / seconds)
    }
}
