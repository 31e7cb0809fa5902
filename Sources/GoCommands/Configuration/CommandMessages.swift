/// What is said about a command line before anything starts.
package struct CommandMessages: Hashable, Sendable {
    package private(set) var errors: [String] = []
    package private(set) var warnings: [String] = []

    mutating func error(_ text: String, advice: String? = nil) { Self.add(text, advice, to: &errors) }
    mutating func warning(_ text: String, advice: String? = nil) { Self.add(text, advice, to: &warnings) }

    private static func add(_ text: String, _ advice: String?, to list: inout [String]) {
        let line = text + (advice.map { " — \($0)" } ?? "")
        if !list.contains(line) { list.append(line) }
    }

    /// A line each, errors first; after errors where to read on.
    package func text(for command: String) -> String {
        var text = errors.map { "\(command): \($0)\n" }.joined()
        text += warnings.map { "\(command): warning: \($0)\n" }.joined()
        return errors.isEmpty ? text : text + "See \"\(command) -h\".\n"
    }
}
