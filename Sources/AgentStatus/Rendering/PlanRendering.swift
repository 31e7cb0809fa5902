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

    private static func sign(_ verb: PlanSnapshot.Action.Verb) -> String {
        switch verb {
        case .start: "+"
        case .update: "~"
        case .replace: "±"
        case .stop: "-"
        }
    }
}
