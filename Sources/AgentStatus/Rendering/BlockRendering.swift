/// Blocked tokens for people.
package enum BlockRendering {
    /// A row for each.
    package static func text(of blocked: [BlockedTokenSnapshot]) -> String {
        guard !blocked.isEmpty else { return "no token is blocked\n" }
        var table = TextTable(["TOKEN", "TAG", "LEFT", "BY"], numeric: [2])
        for token in blocked {
            let left = token.secondsLeft.map { DurationWords.of(seconds: $0) } ?? "-"
            table.add([token.tokenHint, token.tokenTag, left, token.by])
        }
        return table.text()
    }
}
