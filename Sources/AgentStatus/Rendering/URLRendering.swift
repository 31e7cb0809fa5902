/// The URLs by which callers reach tunnels, for people.
package enum URLRendering {
    /// What stands in a terminal or a log for the sake of those who copy it: a table of URLs, nothing where there are none.
    ///
    /// - Parameters:
    ///   - style: of where it is printed.
    ///   - most: rows; nil for all.
    package static func text(
        of snapshot: AgentSnapshot, style: TextStyle = .plain, most: Int? = nil
    ) -> String? {
        var table = TextTable(["URL", "LEADS TO", "STATE"])
        for server in snapshot.servers {
            for name in server.names ?? [] {
                table.add(
                    [
                        name.url,
                        "\(name.tokenHint) at server \(server.name)" + (name.isClaimed ? ", claimed" : ""),
                        name.isUp ? "up" : "down",
                    ], [2: name.isUp ? .green : .red])
            }
        }
        for tunnel in snapshot.tunnels {
            for host in tunnel.hosts ?? [] {
                let isUp = tunnel.state == .connected && host.url != nil
                let state = host.refusal == nil ? isUp ? "up" : "down" : "refused"
                table.add(
                    [host.url ?? host.claim, "tunnel \(tunnel.name)", state], [2: isUp ? .green : .red])
            }
        }
        guard !table.isEmpty else { return nil }
        let more = snapshot.servers.reduce(0) { $0.addingClamped($1.moreNames ?? 0) }
        return table.text(style, most: most) + (more > 0 ? style.wrapped("and \(more) more") : "")
    }

    /// Why names were not granted; nil where all were.
    static func refused(_ snapshot: AgentSnapshot) -> TextTable? {
        var table = TextTable(["NO SUCH NAME", "FOR", "WHY"], wrapsLast: true)
        for tunnel in snapshot.tunnels {
            for host in tunnel.hosts ?? [] {
                guard let refusal = host.refusal else { continue }
                table.add([host.claim, "tunnel \(tunnel.name)", refusal], [0: .red])
            }
        }
        return table.isEmpty ? nil : table
    }
}
