import LinearRegex
import TunnelConfiguration

/// What a value of the API looks like, as far as JSON Schema can say it (draft 2020-12, which OpenAPI 3.1 uses).
indirect enum AdminSchema: Sendable, Equatable {
    struct Member: Sendable, Equatable {
        let name: String
        let schema: AdminSchema
        let isRequired: Bool
    }

    case anything
    /// - Parameter pattern: a regular expression for the whole of it; nil for any text.
    case string(pattern: String? = nil)
    /// An IP address.
    case address
    case choice([String])
    case integer(ClosedRange<Int>? = nil)
    case number
    case boolean
    /// That and nothing else.
    case always(Bool)
    case list(AdminSchema)
    /// Or `null`.
    case optional(AdminSchema)
    /// `null`, or not there.
    case nothing
    /// Any of them.
    case either([AdminSchema])
    /// From names that are not known beforehand.
    case map(AdminSchema)
    /// - Parameter name: of the type; nil for one that is described where it is used.
    case object(name: String?, [Member])

    /// Whether a text of a query or path is such a value.
    func accepts(_ text: String) -> Bool {
        switch self {
        case .integer(let range):
            guard let number = Int(text), text.utf8.first != UInt8(ascii: "+") else { return false }
            return range?.contains(number) ?? true
        case .choice(let choices): return choices.contains(text)
        case .boolean: return text == "true" || text == "false"
        case .number: return Double(text) != nil
        case .address: return AddressRange.isAddress(text)
        case .string(let pattern?):
            return (try? RegularExpression(pattern))?.matchesWhole(of: text) ?? true
        case .anything, .string(nil), .always, .list, .optional, .nothing, .either, .map, .object: return true
        }
    }

    /// The same, with more to say of some members than their types do: no longer that of the type.
    func with(_ members: [String: AdminSchema]) -> AdminSchema {
        guard case .object(_, let all) = self else { return self }
        return .object(
            name: nil,
            all.map {
                Member(name: $0.name, schema: members[$0.name] ?? $0.schema, isRequired: $0.isRequired)
            }
        )
    }

    /// For people: what such a text is.
    var words: String {
        switch self {
        case .integer(let range?): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .integer(nil): "a whole number"
        case .choice(let choices): "one of \(choices.joined(separator: ", "))"
        case .boolean: "true or false"
        case .number: "a number"
        case .address: "an IP address"
        case .string(let pattern?): "a text like \(pattern)"
        case .anything, .string(nil), .always, .list, .optional, .nothing, .either, .map, .object: "a text"
        }
    }
}
