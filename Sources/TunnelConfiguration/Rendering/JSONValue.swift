import AgentStatus

/// A JSON document in the making; members keep their order.
package indirect enum JSONValue: Sendable {
    case string(String)
    case integer(Int)
    case boolean(Bool)
    case array([JSONValue])
    case object([(String, JSONValue)])

    static func reference(_ name: String) -> JSONValue {
        .object([("$ref", .string("#/$defs/\(name)"))])
    }

    /// Indented by two spaces for each level, without a line break at the end.
    package func text(indentation: Int = 0) -> String {
        switch self {
        case .string(let text): JSONText.quoted(text)
        case .integer(let number): "\(number)"
        case .boolean(let boolean): "\(boolean)"
        case .array(let items):
            Self.block("[", items.map { $0.text(indentation: indentation + 2) }, "]", indentation)
        case .object(let members):
            Self.block(
                "{",
                members.map { "\(JSONText.quoted($0.0)): \($0.1.text(indentation: indentation + 2))" },
                "}", indentation)
        }
    }

    private static func block(_ start: String, _ items: [String], _ end: String, _ indentation: Int) -> String
    {
        guard !items.isEmpty else { return start + end }
        let outer = String(repeating: " ", count: indentation)
        return start + "\n" + items.map { "\(outer)  \($0)" }.joined(separator: ",\n") + "\n\(outer)\(end)"
    }
}
