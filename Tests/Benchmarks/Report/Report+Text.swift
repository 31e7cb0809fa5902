// The report for people.
extension Report {
    /// One line for each measure of a scenario: our median with its spread, the reference's, the ratio, the goal.
    ///
    /// - Parameters:
    ///   - sides: ours first, then the reference, then further ones.
    package func lines(ofScenario name: String, sides: [String]) -> [String] {
        let ours = sides.first ?? ""
        let reference = sides.dropFirst().first
        var table = Table(
            ["what", "unit", ours, "min..max", reference ?? "", reference == nil ? "" : "min..max", "ratio"]
                + sides.dropFirst(2) + ["goal", ""],
            numbers: Set(2..<(7 + max(0, sides.count - 2))))
        for measure in measures where measure.scenario == name {
            table.add(row(of: measure, ours, reference, others: Array(sides.dropFirst(2))))
        }
        return table.lines
    }

    private func row(
        of measure: Measure, _ ours: String, _ reference: String?, others: [String]
    ) -> [String] {
        let own = statistics(of: measure, ours)
        let other = reference.flatMap { statistics(of: measure, $0) }
        var row = [measure.what, measure.unit] + Self.cells(own)
        row += Self.cells(other)
        if let own, let other, other.median > 0 {
            row.append(Number.decimals(own.median / other.median, 2))
        } else {
            row.append("")
        }
        row += others.map { statistics(of: measure, $0).map { Number.short($0.median) } ?? "" }
        guard let goal = Goal.of(measure), let own else { return row }
        let verdict = goal.isMet(ours: own.median, reference: other?.median)
        return row + [goal.text, verdict.map { $0 ? "met" : "MISSED" } ?? "no reference"]
    }

    private func statistics(of measure: Measure, _ side: String) -> Statistics? {
        figures.first { $0.measure == measure && $0.side == side }.flatMap { Statistics($0.values) }
    }

    private static func cells(_ statistics: Statistics?) -> [String] {
        guard let statistics else { return ["", ""] }
        return [
            Number.short(statistics.median),
            "\(Number.short(statistics.minimum))..\(Number.short(statistics.maximum))",
        ]
    }

    /// The goals that have a verdict, each with its figures: what a reader looks for first.
    ///
    /// - Parameter sides: those of each scenario, ours first, then the reference.
    package func verdicts(sides: [String: [String]]) -> [String] {
        measures.compactMap { measure in
            guard let goal = Goal.of(measure), let sides = sides[measure.scenario], let ours = sides.first,
                let own = median(of: measure, side: ours)
            else { return nil }
            let other = sides.dropFirst().first.flatMap { median(of: measure, side: $0) }
            guard let isMet = goal.isMet(ours: own, reference: other) else { return nil }
            let value =
                goal.bound.isRatio
                ? "\(Number.decimals(own / (other ?? 1), 2)) ×" : "\(Number.short(own)) \(measure.unit)"
            return
                "\(isMet ? "met   " : "MISSED") \(measure.scenario): \(measure.what): \(value), goal \(goal.text)"
        }
    }

    /// What has changed since an older report: the medians of each measure and side that both have.
    package func lines(comparedWith old: Report) -> [String] {
        var table = Table(["scenario", "what", "side", "unit", "old", "new", "new/old"], numbers: [4, 5, 6])
        for figure in figures {
            guard let new = Statistics(figure.values)?.median,
                let before = old.median(of: figure.measure, side: figure.side)
            else { continue }
            let change = before > 0 ? Number.decimals(new / before, 2) : ""
            table.add([
                figure.measure.scenario, figure.measure.what, figure.side, figure.measure.unit,
                Number.short(before), Number.short(new), change,
            ])
        }
        return table.lines
    }
}
