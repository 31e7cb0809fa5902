import AgentStatus
import FoundationEssentials

/// Any JSON, so that its texts can be changed.
indirect enum JSONTree: Codable, Sendable {
    case nothing
    case boolean(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case list([JSONTree])
    case object([String: JSONTree])

    /// - Throws: where a value cannot be said in JSON.
    init(of value: some Encodable) throws {
        self = try JSONDecoder().decode(JSONTree.self, from: Data(JSONText.bytes(of: value)))
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .nothing
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONTree].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONTree].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .nothing: try container.encodeNil()
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// Members whose texts are words of ours, of closed sets: no secrets, though somebody's password may be one of them, and
    /// unreadable when they are changed.
    private static let closed: Set<String> = [
        "kind", "outcome", "phase", "source", "state", "transport", "verb", "verdict",
    ]

    /// The same with secrets taken out of every text.
    func redacted(by redaction: Redaction) -> JSONTree {
        switch self {
        case .nothing, .boolean, .integer, .number: self
        case .text(let text): .text(redaction.apply(to: text))
        case .list(let list): .list(list.map { $0.redacted(by: redaction) })
        case .object(let members):
            .object(
                Dictionary(
                    uniqueKeysWithValues: members.map { name, value in
                        (name, Self.closed.contains(name) ? value : value.redacted(by: redaction))
                    }))
        }
    }
}
