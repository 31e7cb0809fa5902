package import AgentStatus

/// How much each server and tunnel of an agent has carried since its start, by name.
package struct HistoryTotals: Sendable, Equatable {
    package var servers: [String: TrafficSnapshot]
    package var tunnels: [String: TrafficSnapshot]

    package init(servers: [String: TrafficSnapshot] = [:], tunnels: [String: TrafficSnapshot] = [:]) {
        self.servers = servers
        self.tunnels = tunnels
    }
}

/// What a minute's row is of.
struct MinuteKey: Hashable, Sendable {
    /// Its beginning, in milliseconds since 1970.
    var at: Int64
    var server: String?
    var tunnel: String?
    var tokenHint: String?

    init(at: Int64, server: String? = nil, tunnel: String? = nil, tokenHint: String? = nil) {
        self.at = at - at % 60_000
        self.server = server
        self.tunnel = tunnel
        self.tokenHint = tokenHint
    }
}

/// What came to a minute's row.
struct MinuteGain: Sendable, Equatable {
    var requests: Int64 = 0
    var failed: Int64 = 0
    var requestBytes: Int64 = 0
    var responseBytes: Int64 = 0

    static func += (one: inout MinuteGain, other: MinuteGain) {
        one.requests += other.requests
        one.failed += other.failed
        one.requestBytes += other.requestBytes
        one.responseBytes += other.responseBytes
    }
}

/// Makes gains of totals that only grow: what is there now less what was; of what is new, or was made anew, all of it. Pure.
struct TotalsLedger: Sendable {
    private var last: HistoryTotals?

    /// Those that are not nothing.
    mutating func gains(_ totals: HistoryTotals, at: Int64) -> [(MinuteKey, MinuteGain)] {
        defer { last = totals }
        let before = last ?? HistoryTotals()
        let servers = totals.servers.map { name, now in
            (MinuteKey(at: at, server: name), Self.gain(before.servers[name], now))
        }
        let tunnels = totals.tunnels.map { name, now in
            (MinuteKey(at: at, tunnel: name), Self.gain(before.tunnels[name], now))
        }
        return (servers + tunnels).filter { $0.1 != MinuteGain() }
    }

    private static func gain(_ before: TrafficSnapshot?, _ now: TrafficSnapshot) -> MinuteGain {
        func grown(_ path: KeyPath<TrafficSnapshot, UInt64>) -> Int64 {
            let (old, new) = (before?[keyPath: path] ?? 0, now[keyPath: path])
            return Int64(clamping: new >= old ? new - old : new)
        }
        return MinuteGain(
            requests: grown(\.requests), requestBytes: grown(\.requestBytes),
            responseBytes: grown(\.responseBytes))
    }
}
