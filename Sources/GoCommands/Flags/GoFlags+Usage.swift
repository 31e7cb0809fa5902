extension GoFlags {
    /// The usage: what the command does, and every flag with its default.
    package func usage(_ summary: String) -> String {
        var text = "Usage: \(command) [flags]\n\n\(summary)\n\n"
        for flag in declarations {
            switch flag.kind {
            case .boolean: text += "  -\(flag.name)\n"
            case .text(let placeholder), .integer(let placeholder): text += "  -\(flag.name) \(placeholder)\n"
            }
            let defaultText = flag.defaultText.map { " (default \($0))" } ?? ""
            text += "        \(flag.help)\(defaultText)\n"
        }
        return text
            + "\nA flag may have one dash or two, and its value may follow a space or \"=\"; on-off flags take "
            + "-flag=false.\n"
    }
}
