/// Something wrong with a configuration: what, where, and what to do about it. Never holds a secret.
package struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// An error keeps the configuration from being used, a warning does not.
    package enum Severity: String, Hashable, Sendable {
        case error, warning
    }

    /// Where in a file; line and column start at 1, columns count characters.
    package struct Place: Hashable, Sendable {
        package var line: Int
        package var column: Int

        package init(line: Int, column: Int) {
            self.line = line
            self.column = column
        }
    }

    /// The offending line with every secret in it replaced by `***`, for a caret below it.
    package struct Excerpt: Hashable, Sendable {
        package var line: String
        /// Where the caret stands in `line`, from 1.
        package var column: Int

        package init(line: String, column: Int) {
            self.line = line
            self.column = column
        }
    }

    package var severity: Severity
    /// The file, as it was named to us.
    package var file: String
    /// Nil when the file as a whole is meant.
    package var place: Place?
    /// Which setting, such as `tunnels[web].token`; empty when the file as a whole is meant.
    package var path: String
    /// What is wrong, without a trailing period.
    package var message: String
    /// What to do, where that is not plain from the message.
    package var advice: String?
    package var excerpt: Excerpt?

    package init(
        severity: Severity, file: String, place: Place? = nil, path: String = "", message: String,
        advice: String? = nil, excerpt: Excerpt? = nil
    ) {
        self.severity = severity
        self.file = file
        self.place = place
        self.path = path
        self.message = message
        self.advice = advice
        self.excerpt = excerpt
    }

    /// `file:line:column: path: what is wrong — what to do`, on one line.
    package var description: String {
        var text = file + ":"
        if let place { text += "\(place.line):\(place.column):" }
        if severity == .warning { text += " warning:" }
        if !path.isEmpty { text += " \(path):" }
        text += " \(message)"
        if let advice { text += " — \(advice)" }
        return text
    }
}
