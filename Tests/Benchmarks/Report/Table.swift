/// Columns of text, as wide as their widest cell.
package struct Table: Sendable {
    private let head: [String]
    private var rows: [[String]] = []
    /// The columns whose cells stand at the right.
    private let numbers: Set<Int>

    /// - Parameters:
    ///   - head: the names of the columns.
    ///   - numbers: the columns that stand at the right, from 0.
    package init(_ head: [String], numbers: Set<Int> = []) { (self.head, self.numbers) = (head, numbers) }

    /// Adds a row; missing cells are empty.
    package mutating func add(_ row: [String]) { rows.append(row) }

    /// The lines, without blanks at their ends.
    package var lines: [String] {
        let all = [head] + rows
        let widths = head.indices.map { column in
            all.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
        }
        return all.map { row in
            let cells = head.indices.map { column -> String in
                let cell = row.indices.contains(column) ? row[column] : ""
                let blanks = String(repeating: " ", count: widths[column] - cell.count)
                return numbers.contains(column) ? blanks + cell : cell + blanks
            }
            var line = cells.joined(separator: "  ")
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }
}
