extension GoFlags {
    /// What is wrong with a command line, and where to read on.
    func rejection(_ fault: String) -> String {
        "\(command): \(fault)\nUsage: \(command) [flags]\nSee \"\(command) -h\" for the flags.\n"
    }

    /// What is wrong with words that follow the flags, of a command that takes none; nil without any.
    func fault(ofWordsIn values: Values) -> (message: String, advice: String)? {
        guard let word = values.rest.first else { return nil }
        let hasFlags = values.rest.contains { $0.hasPrefix("-") && $0.utf8.count > 1 }
        let message =
            "argument \(values.restStart + 1) is no flag"
            + (hasFlags ? ", so the flags behind it would not count" : "")
        return (message, StrayWord.advice(word, of: self))
    }

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
