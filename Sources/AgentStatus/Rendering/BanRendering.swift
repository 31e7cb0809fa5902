/// Bans for people.
package enum BanRendering {
    /// A row for each.
    package static func text(of bans: [BanSnapshot]) -> String {
        guard !bans.isEmpty else { return "nobody is banned\n" }
        var table = TextTable(["ADDRESS", "SERVER", "LEFT", "TIMES"], numeric: [2, 3])
        for ban in bans {
            table.add([ban.address, ban.server, time(ban.secondsLeft), "\(ban.count)"])
        }
        return table.text()
    }

    private static func time(_ seconds: Int) -> String {
        switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m\(seconds % 60)s"
        default: "\(seconds / 3600)h\(seconds % 3600 / 60)m"
        }
    }
}
