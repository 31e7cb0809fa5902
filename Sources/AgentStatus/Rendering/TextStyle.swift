/// What a text for people may look like where it is shown.
package struct TextStyle: Sendable {
    enum Colour: Int {
        case red = 31
        case green = 32
        case yellow = 33
    }

    /// As wide as it comes, without colours: for files and programs.
    package static let plain = TextStyle(width: nil, hasColour: false)

    /// Columns that there are; nil for any number.
    package var width: Int?
    package var hasColour: Bool

    package init(width: Int?, hasColour: Bool) {
        self.width = width
        self.hasColour = hasColour
    }

    func painted(_ text: String, _ colour: Colour?) -> String {
        guard hasColour, let colour else { return text }
        return "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m"
    }

    /// The text in lines that fit, ended.
    func wrapped(_ text: String, indent: Int = 0) -> String {
        let margin = String(repeating: " ", count: indent)
        let text = text.undeceiving
        guard let width else { return margin + text + "\n" }
        return Self.lines(of: text, width: width - indent).map { margin + $0 + "\n" }.joined()
    }

    /// The text and its painted end, in lines that fit.
    func wrapped(_ text: String, ending: String, _ colour: Colour?) -> String {
        let lines = wrapped(text + ending)
        guard lines.hasSuffix(ending + "\n") else { return lines }
        return lines.dropLast(ending.count + 1) + painted(ending, colour) + "\n"
    }

    /// Broken between words, and within those that are too long.
    static func lines(of text: String, width: Int) -> [String] {
        let width = max(1, width)
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            } else if !line.isEmpty {
                line += " "
            }
            line += word
            while line.count > width {
                lines.append(String(line.prefix(width)))
                line.removeFirst(width)
            }
        }
        return lines + [line]
    }
}
