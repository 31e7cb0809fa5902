import TunnelConfiguration

/// Words where none belongs: what was probably meant. What is said never holds the word itself, which may be a secret
/// that lost its flag.
package enum StrayWord {
    /// The commands of the program, in the order in which people are told of them.
    package static let commands = [
        "run", "check", "plan", "pin", "hash", "show", "status", "top", "events", "requests", "logs",
        "history", "urls", "explain", "doctor", "diag", "reload", "rollback", "pause", "resume", "bans",
        "unban", "block-token", "unblock-token", "session", "log-level", "schema",
        "srv",
        "cli", "connect", "whois", "version", "help",
    ]

    /// The command that a first argument most likely stands for; nil when it resembles none.
    package static func command(for word: String) -> String? {
        if let command = otherNames[word.lowercased()] { return command }
        // Signals stop an agent: "top" is not what is meant.
        guard word.utf8.count >= 3, word.lowercased() != "stop" else { return nil }
        return NearMiss.nearest(to: word, among: commands)
    }

    /// What other programs call the same.
    private static let otherNames = [
        "serve": "srv", "server": "srv", "listen": "srv", "client": "cli", "up": "run",
        "start": "run", "daemon": "run", "agent": "run", "lint": "check", "validate": "check",
        "test": "check",
        "verify": "check", "diff": "plan", "config": "show", "list": "status", "ps": "status",
        "restart": "reload",
    ]

    /// Whether a word names a configuration file.
    package static func isConfigurationFile(_ word: String) -> Bool {
        word.hasSuffix(".yaml") || word.hasSuffix(".yml")
    }

    /// What to write instead of a word behind the flags of a command.
    static func advice(_ word: String, of flags: GoFlags) -> String {
        if GoFlags.boolean(word) != nil {
            return "remove it; on-off flags are written -flag or -flag=false"
        }
        if word == "help" { return "did you mean \"\(flags.command) -h\"?" }
        if commands.contains(word) { return "did you mean \"wstunnel \(word)\"?" }
        if isConfigurationFile(word) { return "did you mean \"wstunnel --config FILE\"?" }
        if word.utf8.count >= 3 {
            if let flag = NearMiss.nearest(to: word, among: flags.declarations.map(\.name)) {
                return "did you mean -\(flag)?"
            }
            if let command = command(for: word) { return "did you mean \"wstunnel \(command)\"?" }
        }
        return "remove it"
    }
}
