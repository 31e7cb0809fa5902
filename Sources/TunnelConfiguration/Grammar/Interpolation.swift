/// `${NAME}`, `${NAME:-default}` and `$${` in a scalar that is already parsed: what a variable holds stands in
/// the scalar as it is and can never become structure.
enum Interpolation {
    /// A piece of a scalar.
    enum Piece: Hashable {
        case literal(String)
        /// The default stands in when the variable is unset or empty, as in a shell.
        case variable(name: String, defaultText: String?)
    }

    /// Why a `${` is none.
    enum SyntaxFault: Error, Hashable {
        case unclosed
        case badName(String)
    }

    /// Splits a scalar. A `$` that does not stand before `{` is literal; `$${` is a literal `${`.
    static func pieces(of text: String) throws(SyntaxFault) -> [Piece] {
        // Most texts have no variable: looking at bytes is faster than at characters.
        guard text.utf8.contains(UInt8(ascii: "$")) else { return [.literal(text)] }
        var pieces: [Piece] = []
        var literal = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            literal += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                literal += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                guard let close = rest.firstIndex(of: "}") else { throw .unclosed }
                if !literal.isEmpty { pieces.append(.literal(literal)) }
                literal = ""
                pieces.append(try variable(rest[rest.index(dollar, offsetBy: 2)..<close]))
                rest = rest[rest.index(after: close)...]
            } else {
                literal += "$"
                rest = rest.dropFirst()
            }
        }
        literal += rest
        if !literal.isEmpty || pieces.isEmpty { pieces.append(.literal(literal)) }
        return pieces
    }

    private static func variable(_ inside: Substring) throws(SyntaxFault) -> Piece {
        let name = inside.prefix { $0 != ":" }
        let suffix = inside.dropFirst(name.count)
        guard isName(name), suffix.isEmpty || suffix.hasPrefix(":-") else { throw .badName(String(inside)) }
        return .variable(
            name: String(name), defaultText: suffix.isEmpty ? nil : String(suffix.dropFirst(2)))
    }

    private static func isName(_ name: Substring) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x5f: true
            default: false
            }
        }
    }
}
