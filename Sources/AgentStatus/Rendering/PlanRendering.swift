/// A plan for people.
package enum PlanRendering {
    /// One line for each action, then what takes a restart, then how many there are.
    package static func text(of plan: PlanSnapshot) -> String {
        var table = TextTable(["", "", "", ""])
        for action in plan.actions {
            table.add([
                "\(sign(action.verb)) \(action.verb.rawValue)", action.kind.rawValue, action.name,
                action.changes.joined(separator: ", "),
            ])
        }
        // The header is empty.
        let lines = plan.actions.isEmpty ? "" : String(table.text().drop { $0 == "\n" })
        let notes = plan.notes.map { "! \($0)\n" }.joined()
        let count = plan.actions.count
        let summary = count == 0 ? "no changes" : "\(count) change\(count == 1 ? "" : "s")"
        return lines + notes + summary + "\n"
    }

    /// The same with what it leaves paused, and by what `wstunnel reload --plan` knows it; nil where there is no plan.
    package static func text(of report: PlanReport) -> String? {
        guard let plan = report.plan else { return nil }
        let gone = Set(plan.actions.filter { $0.verb == .stop }.map { "\($0.kind.rawValue) \($0.name)" })
        let paused = (report.paused ?? []).map { "\($0.kind.rawValue) \($0.name)" }
            .filter { !gone.contains($0) }
        let tag = plan.actions.isEmpty ? nil : report.etag
        return text(of: plan) + paused.map { "\($0) is paused, and stays so\n" }.joined()
            + (tag.map { "plan \($0)\n" } ?? "")
    }

    private static func sign(_ verb: PlanSnapshot.Action.Verb) -> String {
        switch verb {
        case .start: "+"
        case .update: "~"
        case .replace: "±"
        case .stop: "-"
        }
    }
}
