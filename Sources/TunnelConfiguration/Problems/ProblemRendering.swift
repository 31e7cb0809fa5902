import AgentStatus

/// A report for people and for programs. Pure: whoever calls decides where it goes.
package enum ProblemRendering {
    /// One line for each problem, and a last line that counts them.
    /// - Parameters:
    ///   - hasExcerpts: the offending line with a caret below each problem, as on a terminal.
    ///   - hasColour: ANSI colours.
    package static func text(
        of report: ConfigurationReport, hasExcerpts: Bool = false, hasColour: Bool = false
    ) -> String {
        var text = ""
        for problem in report.problems {
            text += paint(problem.description, problem.severity == .error ? "31" : "33", hasColour) + "\n"
            if hasExcerpts, let excerpt = problem.excerpt {
                text += "    \(excerpt.line)\n"
                text += "    \(String(repeating: " ", count: max(0, excerpt.column - 1)))"
                text += paint("^", "1", hasColour) + "\n"
            }
        }
        let omitted = report.errorCount + report.warningCount - report.problems.count
        if omitted > 0 { text += "and \(omitted) more\n" }
        return text + summary(of: report) + "\n"
    }

    /// `3 errors, 0 warnings`.
    package static func summary(of report: ConfigurationReport) -> String {
        "\(counted(report.errorCount, "error")), \(counted(report.warningCount, "warning"))"
    }

    /// One JSON object on one line: `valid`, `errors`, `warnings` and `problems`, each of these with
    /// `severity`, `file`, `line`, `column`, `path`, `message` and `advice`; what is unknown is null.
    package static func json(of report: ConfigurationReport) -> String {
        let problems = report.problems.map { problem in
            let members = [
                ("severity", JSONText.quoted(problem.severity.rawValue)),
                ("file", JSONText.quoted(problem.file)),
                ("line", problem.place.map { "\($0.line)" } ?? "null"),
                ("column", problem.place.map { "\($0.column)" } ?? "null"),
                ("path", JSONText.quoted(problem.path)),
                ("message", JSONText.quoted(problem.message)),
                ("advice", problem.advice.map(JSONText.quoted) ?? "null"),
            ]
            return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
        }
        return "{\"valid\":\(report.isValid),\"errors\":\(report.errorCount),"
            + "\"warnings\":\(report.warningCount),\"problems\":[\(problems.joined(separator: ","))]}"
    }

    private static func counted(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    private static func paint(_ text: String, _ code: String, _ hasColour: Bool) -> String {
        hasColour ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}
