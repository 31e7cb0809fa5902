/// Rows in columns as wide as their widest cell; where there is less room, without those that matter least, and texts
/// are cut. What stands in the cells may come from
/// elsewhere: control characters are shown as `?`.
struct TextTable {
    private struct Row {
        var cells: [String]
        var colours: [Int: TextStyle.Colour]
    }

    /// Texts are cut to this before columns are left out.
    private static let modest = 12
    /// And to this when nothing more can be.
    private static let narrowest = 6

    private var rows: [Row]
    /// Columns of numbers, which are aligned to the right.
    private let numeric: Set<Int>
    /// Whether the last column goes on in further lines; else what does not fit is cut, in any column.
    private let wrapsLast: Bool
    /// Columns that may be left out, the first one first.
    private let expendable: [Int]

    init(
        _ header: [String], numeric: Set<Int> = [], expendable: [Int] = [], wrapsLast: Bool = false
    ) {
        rows = [Row(cells: header, colours: [:])]
        self.numeric = numeric
        self.expendable = expendable
        self.wrapsLast = wrapsLast
    }

    /// Whether there is nothing but the header.
    var isEmpty: Bool { rows.count == 1 }

    mutating func add(_ cells: [String], _ colours: [Int: TextStyle.Colour] = [:]) {
        rows.append(Row(cells: cells.map(\.undeceiving), colours: colours))
    }

    /// The same with no more than so many rows, and how many there are besides.
    ///
    /// - Parameter most: nil for all.
    func text(_ style: TextStyle, most: Int?) -> String {
        guard let most, rows.count - 1 > most else { return text(style) }
        var table = self
        table.rows.removeLast(rows.count - 1 - most)
        return table.text(style) + style.wrapped("and \(rows.count - 1 - most) more; --all shows them")
    }

    /// A line for each row, or several.
    func text(_ style: TextStyle = .plain) -> String {
        let widths = widths(within: style.width)
        let columns = widths.keys.sorted()
        guard let last = columns.last, let lastWidth = widths[last] else { return "" }
        let margin = String(
            repeating: " ", count: columns.dropLast().reduce(0) { $0 + (widths[$1] ?? 0) + 2 })
        return rows.map { row in
            let ends =
                wrapsLast ? TextStyle.lines(of: row.cells[last], width: lastWidth) : [row.cells[last]]
            var line = ""
            for column in columns {
                let cell = column == last ? ends[0] : row.cells[column]
                line += fitted(cell, column, widths[column] ?? 0, row, style)
                if column != last { line += "  " }
            }
            while line.last == " " { line.removeLast() }
            return line + "\n" + ends.dropFirst().map { margin + $0 + "\n" }.joined()
        }.joined()
    }

    private func fitted(
        _ cell: String, _ column: Int, _ width: Int, _ row: Row, _ style: TextStyle
    ) -> String {
        let shown = cell.count > width ? cell.prefix(max(0, width - 1)) + "…" : cell
        let padding = String(repeating: " ", count: max(0, width - shown.count))
        let painted = style.painted(shown, shown.isEmpty ? nil : row.colours[column])
        return numeric.contains(column) ? padding + painted : painted + padding
    }

    /// The columns that are shown, and how wide each is.
    private func widths(within width: Int?) -> [Int: Int] {
        var widths: [Int: Int] = [:]
        for row in rows {
            for (column, cell) in row.cells.enumerated() {
                widths[column] = max(widths[column] ?? 0, cell.count)
            }
        }
        guard let width else { return widths }
        func excess(_ widths: [Int: Int]) -> Int {
            widths.values.reduce(0, +) + 2 * (widths.count - 1) - width
        }
        var left = expendable[...]
        while excess(widths.mapValues { min($0, Self.modest) }) > 0, let column = left.popFirst() {
            widths[column] = nil
        }
        for floor in [Self.modest, Self.narrowest] {
            while excess(widths) > 0 {
                let texts = widths.filter { !numeric.contains($0.key) && $0.value > floor }
                guard let widest = texts.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }) else { break }
                widths[widest.key] = widest.value - 1
            }
        }
        return widths
    }
}
