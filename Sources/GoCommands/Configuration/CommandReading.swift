import TunnelConfiguration

/// What a command line asks for.
package enum CommandReading: Sendable {
    /// The usage, on standard output.
    case help(String)
    /// What cannot be taken, and where to read on.
    case fault(String)
    case plan(CommandPlan)
}

extension GoCommand {
    /// Reads a command line; nothing outside is looked at.
    /// - Parameter arguments: what follows the command.
    package func read(_ arguments: [String], _ surroundings: CommandSurroundings) -> CommandReading {
        switch flags.parse(arguments) {
        case .help: return .help(usage)
        case .fault(let fault): return .fault(flags.rejection(fault))
        case .values(let values):
            // Without a flag before it, it is another command that was meant, and nothing is missing.
            if values.restStart == 0, let fault = flags.fault(ofWordsIn: values) {
                return .fault(flags.rejection("\(fault.message) — \(fault.advice)"))
            }
            var draft = CommandDraft(self, values, surroundings)
            draft.checkArguments()
            draft.checkLogLevel()
            draft.checkSyslog()
            switch self {
            case .srv: draft.addServer()
            case .cli: draft.addTunnel()
            case .connect: draft.addConnection()
            }
            return .plan(CommandPlan(draft, values: values))
        }
    }
}

extension CommandDraft {
    /// The entry of `servers` that the flags of `srv` ask for.
    mutating func addServer() {
        let indentation = Self.indentation
        entry.entry(indentation, "host", text: text("host"))
        entry.entry(indentation, "port", plain: values.integers["port"] ?? 80)
        entry.entry(indentation, "base-path", text: text("base-path").map(Self.basePath))
        entry.entry(
            indentation, "wstimeout", plain: integer("wstimeout", default: 30, clampedTo: 3...600))
        let httpTimeout = integer("httptimeout", default: 1200, clampedTo: 1...86_400)
        entry.entry(indentation, "httptimeout", plain: httpTimeout)
        // The Go program knows one limit for both.
        entry.entry(indentation, "queue-timeout", plain: httpTimeout)
        entry.entry(indentation, "max-requests-per-tunnel", plain: maxRequests())
        entry.entry(
            indentation, "max-clients-per-token",
            plain: integer("max-clients-per-token", default: 0, clampedTo: 0...10_000))
        if text("robowhois") != nil {
            messages.warning("-robowhois: the service is gone; the flag is ignored")
        }
        addPasswords()
    }

    /// As in the Go program: white space around does not count, a slash at the start may be missing, those at the end
    /// do not count, and slashes alone are no path.
    private static func basePath(_ text: String) -> String {
        var path = text[...]
        while path.last?.isWhitespace == true || path.last == "/" { path.removeLast() }
        while path.first?.isWhitespace == true || path.first == "/" { path.removeFirst() }
        return "/" + path
    }

    /// 0 and less stand for the default, as in the Go program.
    private mutating func maxRequests() -> Int {
        guard let number = values.integers["max-requests-per-tunnel"], number < 1 else {
            return integer("max-requests-per-tunnel", default: 20, clampedTo: 1...32_000)
        }
        messages.warning("-max-requests-per-tunnel: \(number) is no limit; the default of 20 is taken")
        return 20
    }

    private mutating func addPasswords() {
        let variable = SecretSources.passwordsVariable
        let inherited = surroundings.secrets[variable]
        if text("passwords") != nil, text("passwords-file") != nil {
            messages.error("-passwords and -passwords-file are both given", advice: "keep one of them")
        }
        let label = text("passwords") != nil ? "-passwords" : variable
        if let inherited, !inherited.isEmpty, text("passwords") ?? text("passwords-file") != nil {
            messages.warning("\(variable) is not used: a flag gives the passwords")
        }
        entry.entry(Self.indentation, "passwords-file", text: path("passwords-file"))
        for flag in ["passwords", "passwords-file"] where values.texts[flag]?.isEmpty == true {
            messages.warning("-\(flag) is empty, so it gives no passwords")
        }
        let list = text("passwords") ?? (text("passwords-file") == nil ? inherited : nil)
        guard let list, !list.isEmpty else { return }
        let pairs = SecretSources.pairs(list, label: label, &messages)
        labels["passwords"] = label
        guard !pairs.isEmpty else {
            messages.warning("\(label): no token needs a password now, so any tunnel may connect")
            return
        }
        entry.line(Self.indentation, "passwords:")
        for (index, pair) in pairs.enumerated() {
            let names = ["WSTUNNEL_TOKEN_\(index + 1)", "WSTUNNEL_PASSWORD_\(index + 1)"]
            addVariable(names[0], pair.token, "token \(index + 1)")
            addVariable(names[1], pair.password, "its password")
            entry.line(Self.indentation + 2, "- token: \"${\(names[0])}\"")
            entry.line(Self.indentation + 4, "password: \"${\(names[1])}\"")
        }
    }
}
