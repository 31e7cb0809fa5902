import AgentStatus
import FoundationEssentials

/// `/admin/monitoring` of the Go program.
struct OldMonitoring: Codable, Sendable {
    /// When it was taken (RFC 3339).
    var timestamp: String
    /// Tokens that have a session.
    var uniqueTunnels: Int
    var tunnelConnections: Int
    /// Requests that wait or are carried.
    var pendingRequests: Int
    /// Requests that are over.
    var completedRequests: Int
    /// Those answered with 500 or more.
    var erroredRequests: Int

    enum CodingKeys: String, CodingKey {
        case timestamp
        case uniqueTunnels = "unique_tunnels"
        case tunnelConnections = "tunnel_connections"
        case pendingRequests = "pending_requests"
        case completedRequests = "completed_requests"
        case erroredRequests = "errored_requests"
    }

    init(_ status: AgentSnapshot) {
        let servers = status.servers
        timestamp = OldTime.text(status.takenAt)
        uniqueTunnels = servers.reduce(0) { $0 + $1.tunnels }
        tunnelConnections = servers.reduce(0) { $0 + $1.sessions }
        let carried = servers.flatMap { $0.connected ?? [] }.reduce(0) { $0 + $1.pending }
        pendingRequests = max(carried, servers.reduce(0) { $0 + $1.waiting })
        let begun = servers.reduce(0) { $0 + Int(clamping: $1.traffic.requests) }
        completedRequests = max(0, begun - pendingRequests)
        erroredRequests = servers.reduce(0) { $0 + Int(clamping: $1.traffic.failedRequests ?? 0) }
    }
}

/// `/admin/auditing` of the Go program.
struct OldAuditing: Codable, Sendable {
    struct Tunnel: Codable, Sendable {
        /// Cut.
        var token: String
        var remoteAddr: String
        /// Its reverse DNS name; empty where it is not known.
        var remoteName: String
        /// Nobody asks for it here: empty.
        var remoteWhois: String
        var clientVersion: String
        /// When it was last heard of (RFC 3339).
        var lastActivity: String
        /// Of requests under way there is no list: empty.
        var activeConnections: [Connection]
        var pendingRequests: Int

        enum CodingKeys: String, CodingKey {
            case token
            case remoteAddr = "remote_addr"
            case remoteName = "remote_name"
            case remoteWhois = "remote_whois"
            case clientVersion = "client_version"
            case lastActivity = "last_activity"
            case activeConnections = "active_connections"
            case pendingRequests = "pending_requests"
        }
    }

    struct Connection: Codable, Sendable {
        var requestID: Int
        var method: String
        var uri: String
        var remoteAddr: String
        var startTime: String

        enum CodingKeys: String, CodingKey {
            case requestID = "request_id"
            case method, uri
            case remoteAddr = "remote_addr"
            case startTime = "start_time"
        }
    }

    /// When it was taken (RFC 3339).
    var timestamp: String
    var tunnels: [String: Tunnel]

    init(_ status: AgentSnapshot, _ sessions: [SessionSnapshot]) {
        timestamp = OldTime.text(status.takenAt)
        let latest = Dictionary(sessions.map { ("\($0.server ?? "") \($0.tokenTag ?? "")", $0) }) {
            ($0.heardAt ?? 0) >= ($1.heardAt ?? 0) ? $0 : $1
        }
        tunnels = [:]
        for server in status.servers {
            for token in server.connected ?? [] {
                let session = latest["\(server.name) \(token.tokenTag)"]
                tunnels["\(token.tokenHint) (\(server.name) \(token.tokenTag))"] = Tunnel(
                    token: token.tokenHint, remoteAddr: token.address, remoteName: session?.addressName ?? "",
                    remoteWhois: "", clientVersion: token.software,
                    lastActivity: OldTime.text(session?.heardAt ?? token.since), activeConnections: [],
                    pendingRequests: token.pending)
            }
        }
    }
}

private enum OldTime {
    /// - Parameter seconds: since 1970.
    static func text(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }
}
