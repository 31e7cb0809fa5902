import TunnelConfiguration

/// A configuration in the making: lines of its parts, secrets, and what is to be said.
struct CommandDraft {
    let command: GoCommand
    let values: GoFlags.Values
    let surroundings: CommandSurroundings
    var messages = CommandMessages()
    /// The lines of the one entry below its name.
    var entry = ConfigurationText()
    private(set) var variables: [String: String] = [:]
    /// Each variable that the text names, with what it holds.
    private var explanations: [(name: String, meaning: String)] = []
    var labels: [String: String] = [
        "log.level": "-log-level", "log.file": "-logfile", "log.syslog": "-syslog",
        "queue-timeout": "-httptimeout",
    ]

    /// How far the lines of an entry are indented.
    static let indentation = 4

    init(_ command: GoCommand, _ values: GoFlags.Values, _ surroundings: CommandSurroundings) {
        self.command = command
        self.values = values
        self.surroundings = surroundings
    }

    /// A flag's text; an empty one is as good as none, as in the Go program.
    func text(_ flag: String) -> String? {
        values.texts[flag].flatMap { $0.isEmpty ? nil : $0 }
    }

    func path(_ flag: String) -> String? { text(flag).map(surroundings.absolute) }

    /// A number, moved into a range with a warning where it lies outside.
    mutating func integer(_ flag: String, default value: Int, clampedTo range: ClosedRange<Int>) -> Int {
        let number = values.integers[flag] ?? value
        let clamped = min(max(number, range.lowerBound), range.upperBound)
        if clamped != number {
            messages.warning(
                "-\(flag): \(number) is not from \(range.lowerBound) to \(range.upperBound); \(clamped) is taken"
            )
        }
        return clamped
    }

    /// A secret that the text names as a variable.
    mutating func addVariable(_ name: String, _ secret: String, _ meaning: String) {
        variables[name] = secret
        explanations.append((name, meaning))
    }

    /// A variable that is set later.
    mutating func addOpenVariable(_ name: String, _ meaning: String) { explanations.append((name, meaning)) }

    /// A URL whose userinfo, if there is any, becomes a variable.
    mutating func addURL(_ key: String, _ url: String, variable: String) {
        let start = url.firstRange(of: "://").map(\.upperBound) ?? url.startIndex
        let authority = url[start...].prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@"), at > start else {
            entry.entry(Self.indentation, key, text: url)
            return
        }
        addVariable(variable, String(url[start..<at]), "user:password of \"\(key)\", percent-encoded")
        let value = ConfigurationText.quoted(String(url[..<start]), variable: variable, String(url[at...]))
        entry.entry(Self.indentation, key, plain: value)
    }

    /// Errors about what does not belong to any flag, warnings about secrets that others could read.
    mutating func checkArguments() {
        if let fault = command.flags.fault(ofWordsIn: values) {
            messages.error(fault.message, advice: fault.advice)
        }
        let flags = SecretArguments.flags(in: values).map { "-\($0)" }
        guard !flags.isEmpty else { return }
        messages.warning(
            "a secret stands on the command line (\(flags.joined(separator: ", "))), where other users can read it "
                + "until it is wiped, and shells keep it",
            advice: command.safeSecrets)
    }

    /// The whole `tunnels.yaml`.
    func document() -> String {
        var document = ConfigurationText()
        document.comment("What \"wstunnel \(command.rawValue)\" was told, for wstunnel --config FILE.")
        for variable in explanations {
            document.comment("Set \(variable.name): \(variable.meaning).")
        }
        document.line(0, "version: 1")
        addLog(to: &document)
        document.entry(0, "pidfile", text: path("pidfile"))
        document.line(0, "\(command.listKey):")
        document.line(2, "- name: \(command.rawValue)")
        return document.text + entry.text
    }

    private func addLog(to document: inout ConfigurationText) {
        let level = text("log-level").flatMap(Self.level)
        // As text it has the lines that people who come from the Go program look for.
        let isText = values.booleans["log-pretty"] != false
        let file = text("logfile").map { $0 == "-" ? $0 : surroundings.absolute($0) }
        let facility = text("syslog").map { Self.facility($0) ?? .daemon }
        guard level != nil || isText || file != nil || facility != nil else { return }
        document.line(0, "log:")
        document.entry(2, "level", plain: level)
        document.entry(2, "format", plain: isText ? "text" : nil)
        document.entry(2, "file", text: file)
        document.entry(2, "syslog", text: facility?.rawValue)
    }

    /// As in the Go program, letter case and white space around do not count.
    private static func facility(_ word: String) -> SyslogFacility? {
        SyslogFacility(rawValue: word.lowercased().split(whereSeparator: \.isWhitespace).joined())
    }

    /// Its init files name the program where the facility belongs.
    mutating func checkSyslog() {
        guard let word = text("syslog"), Self.facility(word) == nil else { return }
        let names = SyslogFacility.allCases.map(\.rawValue)
        messages.warning(
            "-syslog: \(Quotation.of(word)) is no facility; daemon is taken",
            advice: NearMiss.nearest(to: word, among: names).map { "did you mean \"\($0)\"?" }
                ?? "write one such as daemon, user or local0")
    }

    mutating func checkLogLevel() {
        guard let word = text("log-level"), Self.level(word) == nil else { return }
        messages.error(
            "-log-level: \(Quotation.of(word)) is unknown",
            advice: "write one of trace, debug, info, warn, error")
    }

    /// The words of the Go program and ours.
    private static func level(_ word: String) -> String? {
        switch word.lowercased() {
        case "trace": "trace"
        case "debug", "dbug": "debug"
        case "info": "info"
        case "notice": "notice"
        case "warn", "warning": "warning"
        case "error", "eror", "crit", "fatal", "panic": "error"
        default: nil
        }
    }
}
