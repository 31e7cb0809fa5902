/// A doctor's report for people.
package enum DoctorRendering {
    /// A line for each finding, with what to do below it, and how many there are of each kind at the end.
    package static func text(of report: DoctorReport, style: TextStyle = .plain) -> String {
        var text = ""
        var subject: String?
        for finding in report.findings {
            if finding.subject != subject {
                text += (subject == nil ? "" : "\n") + style.wrapped(finding.subject)
                subject = finding.subject
            }
            text += line(finding, style)
            if let advice = finding.advice { text += style.wrapped("-> \(advice)", indent: 10) }
        }
        return text + "\n" + summary(of: report, style) + "\n"
    }

    /// How many findings there are of each kind.
    package static func summary(of report: DoctorReport, _ style: TextStyle = .plain) -> String {
        let counts = DoctorReport.Verdict.allCases.reversed().compactMap { verdict -> String? in
            let count = report.findings.count { $0.verdict == verdict }
            return count == 0 ? nil : style.painted("\(count) \(verdict.rawValue)", colour(verdict))
        }
        return counts.isEmpty ? "nothing to look at" : counts.joined(separator: ", ")
    }

    private static func line(_ finding: DoctorReport.Finding, _ style: TextStyle) -> String {
        let time = finding.milliseconds.map { " (\(RequestRendering.milliseconds($0)))" } ?? ""
        let verdict = finding.verdict.rawValue
        let margin = String(repeating: " ", count: 8 - verdict.count)
        var lines = style.wrapped("\(finding.step): \(finding.words)\(time)", indent: 10)
        lines.removeFirst(10)
        return "  " + style.painted(verdict, colour(finding.verdict)) + margin + lines
    }

    private static func colour(_ verdict: DoctorReport.Verdict) -> TextStyle.Colour {
        switch verdict {
        case .ok: .green
        case .warning: .yellow
        case .failed: .red
        }
    }
}
