/// Lines of the log for people.
package enum LogRendering {
    /// - Parameter time: when it was said, as it is shown.
    package static func line(of entry: LogEntry, time: String, style: TextStyle = .plain) -> String {
        let fields = entry.fields.sorted { $0.key < $1.key }.map { " \($0.key)=\(value($0.value))" }.joined()
        let level = entry.level.uppercased().undeceiving
        let padding = String(repeating: " ", count: max(0, 8 - level.count))
        return time + " " + style.painted(level, colour(of: entry.level)) + padding + " "
            + "\(entry.logger): \(entry.message)\(fields)".undeceiving
    }

    /// In quotes where it would not stand out as one.
    private static func value(_ text: String) -> String {
        let isPlain = !text.isEmpty && !text.contains { $0 == " " || $0 == "\"" || $0 == "=" }
        return isPlain ? text : "\"\(text.replacing("\"", with: "\\\""))\""
    }

    private static func colour(of level: String) -> TextStyle.Colour? {
        switch level {
        case "error", "critical": .red
        case "warning": .yellow
        case "notice": .green
        default: nil
        }
    }
}
