import TestSupport

extension ChildOutput {
    /// Waits until so many lines have come that hold the text. Each line is looked at once, however many there are.
    func waitForLines(
        _ count: Int, containing text: String, from start: Int = 0, within limit: Duration = .seconds(40)
    ) throws {
        var left = count
        try waitForLine(from: start, within: limit, what: "\(count) lines with \(text)") { line in
            if line.contains(text) { left -= 1 }
            return left == 0
        }
    }
}
