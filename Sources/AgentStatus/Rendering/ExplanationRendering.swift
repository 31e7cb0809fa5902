/// An explanation for people.
package enum ExplanationRendering {
    /// The request, a row for each step, then what it gets.
    package static func text(of explanation: ExplanationSnapshot, style: TextStyle = .plain) -> String {
        let source = explanation.source == .agent ? "the running agent" : "the file"
        var table = TextTable(["", "", ""], wrapsLast: true)
        for step in explanation.steps {
            let words = step.words + (step.key.map { " (\($0))" } ?? "")
            table.add(
                [step.isEnd ? "✗" : "·", step.subject.rawValue, words], step.isEnd ? [0: .red, 1: .red] : [:])
        }
        // The header is empty.
        let rows = String(table.text(style).drop { $0 == "\n" })
        return style.wrapped("\(explanation.request), by \(source)") + rows
            + outcome(explanation.outcome, style)
    }

    private static func outcome(_ outcome: ExplanationSnapshot.Outcome, _ style: TextStyle) -> String {
        let status = outcome.status.map { " \($0)" } ?? ""
        let isServed = outcome.verdict == .carried || outcome.verdict == .answered
        var text = style.wrapped("→ ", ending: outcome.verdict.rawValue + status, isServed ? .green : .red)
        text += style.wrapped(outcome.words, indent: 2)
        if let limit = outcome.limit { text += style.wrapped("X-Limit: \(limit)", indent: 2) }
        if let seconds = outcome.retryAfter { text += style.wrapped("Retry-After: \(seconds)", indent: 2) }
        for field in outcome.fields { text += style.wrapped("\(field.name): \(field.value)", indent: 2) }
        return text
    }
}
