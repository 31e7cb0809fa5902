/// A path whose parts may hold `*`, `?` and `[a-z]`, as in a shell: none of them matches a `/`, nor a `.` at the start
/// of a name.
struct PathPattern {
    enum Part: Hashable {
        case plain(String)
        case wild(NamePattern)
    }

    let isAbsolute: Bool
    /// Without empty ones and `.`; never empty.
    let parts: [Part]

    /// Whether it may match any number of files, none included.
    var hasWildcards: Bool {
        parts.contains { if case .wild = $0 { true } else { false } }
    }

    static func parse(_ text: String) throws(ValueFault) -> PathPattern {
        _ = try TextRule.path(text)
        guard !text.hasSuffix("/") else {
            throw ValueFault("\(Quotation.of(text)) names a folder", advice: "add a pattern, such as *.yaml")
        }
        var parts: [Part] = []
        for part in text.split(separator: "/") where part != "." {
            guard part.contains(where: { "*?[".contains($0) }) else {
                parts.append(.plain(String(part)))
                continue
            }
            guard !part.contains("**") else {
                throw ValueFault(
                    "\"**\" is not supported", advice: "write a \"*\" for each level of folders")
            }
            guard let pattern = NamePattern(part) else {
                throw ValueFault(
                    "a \"[\" in \(Quotation.of(text)) has no closing \"]\"",
                    advice: "close it within the name"
                )
            }
            parts.append(.wild(pattern))
        }
        guard let last = parts.last, last != .plain("..") else {
            throw ValueFault("\(Quotation.of(text)) names a folder", advice: "add a pattern, such as *.yaml")
        }
        return PathPattern(isAbsolute: text.hasPrefix("/"), parts: parts)
    }
}

/// A pattern of one name in a folder.
struct NamePattern: Hashable {
    private enum Item: Hashable {
        case scalar(Unicode.Scalar)
        case any
        case anyNumber
        case oneOf([ClosedRange<Unicode.Scalar>], isNegated: Bool)

        func matches(_ scalar: Unicode.Scalar) -> Bool {
            switch self {
            case .scalar(let own): own == scalar
            case .any, .anyNumber: true
            case .oneOf(let ranges, let isNegated):
                ranges.contains { $0.contains(scalar) } != isNegated
            }
        }
    }

    private let items: [Item]

    /// - Returns: nil when a `[` is not closed.
    init?(_ text: Substring) {
        var items: [Item] = []
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": items.append(.anyNumber)
            case "?": items.append(.any)
            case "[":
                guard let set = Self.set(&rest) else { return nil }
                items.append(set)
            default: items.append(.scalar(scalar))
            }
        }
        self.items = items
    }

    /// Whether a name matches as a whole. The time it takes grows with the product of the two lengths at most.
    func matches(_ name: String) -> Bool {
        let scalars = Array(name.unicodeScalars)
        if scalars.first == ".", items.first != .scalar(".") { return false }
        var item = 0
        var index = 0
        /// Where to go on when the last `*` takes one more.
        var retry: (item: Int, index: Int)?
        while index < scalars.count {
            if item < items.count, items[item] == .anyNumber {
                retry = (item + 1, index)
                item += 1
            } else if item < items.count, items[item].matches(scalars[index]) {
                item += 1
                index += 1
            } else if let last = retry {
                retry = (last.item, last.index + 1)
                item = last.item
                index = last.index + 1
            } else {
                return false
            }
        }
        return items[item...].allSatisfy { $0 == .anyNumber }
    }

    /// What stands behind a `[`; a `]` right at its start is one of the set.
    private static func set(_ rest: inout Substring.UnicodeScalarView) -> Item? {
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        let isNegated = rest.first == "!" || rest.first == "^"
        if isNegated { rest.removeFirst() }
        while let scalar = rest.popFirst() {
            if scalar == "]", !ranges.isEmpty { return .oneOf(ranges, isNegated: isNegated) }
            var last = scalar
            if rest.first == "-", let end = rest.dropFirst().first, end != "]" {
                rest.removeFirst(2)
                last = end
            }
            // Upside down it would match nothing.
            ranges.append(min(scalar, last)...max(scalar, last))
        }
        return nil
    }
}
