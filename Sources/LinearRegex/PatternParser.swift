/// Reads the text of a pattern.
struct PatternParser {
    private static let deepestNesting = 100
    private static let mostRepetitions = 1000

    struct Flags {
        var ignoresCase = false
        var dotTakesNewline = false
    }

    let text: [Unicode.Scalar]
    var place = 0
    var flags = Flags()
    private var depth = 0

    init(_ pattern: String) { text = Array(pattern.unicodeScalars) }

    mutating func parse() throws(RegularExpressionError) -> Pattern {
        let pattern = try alternatives()
        guard place == text.count else { throw fault("\")\" without \"(\"") }
        return pattern
    }

    func fault(_ message: String) -> RegularExpressionError {
        RegularExpressionError(message: message, offset: min(place, text.count))
    }

    var next: Unicode.Scalar? { place < text.count ? text[place] : nil }

    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        place += 1
        return true
    }

    private mutating func alternatives() throws(RegularExpressionError) -> Pattern {
        var parts = [try sequence()]
        while take("|") { parts.append(try sequence()) }
        return parts.count == 1 ? parts[0] : .alternatives(parts)
    }

    private mutating func sequence() throws(RegularExpressionError) -> Pattern {
        var parts: [Pattern] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            if takeQuotationMark() {
                // A repetition behind it counts for its last character alone.
                let characters = quotation()
                parts += characters.dropLast()
                if let last = characters.last { parts.append(try repeated(last)) }
            } else if let part = try repeatedAtom() {
                parts.append(part)
            }
        }
        return parts.isEmpty ? .empty : parts.count == 1 ? parts[0] : .sequence(parts)
    }

    /// - Returns: nil for what only sets flags.
    private mutating func repeatedAtom() throws(RegularExpressionError) -> Pattern? {
        guard let atom = try atom() else { return nil }
        return try repeated(atom)
    }

    /// What was read, and the repetition behind it if there is one.
    private mutating func repeated(_ atom: Pattern) throws(RegularExpressionError) -> Pattern {
        guard let (least, most) = try repetition() else { return atom }
        // Lazy or greedy makes no difference to whether the whole text matches.
        _ = take("?")
        let behind = place
        guard try repetition() == nil else {
            place = behind
            throw fault("a repetition of a repetition; put the first into parentheses")
        }
        return .repeated(atom, least: least, most: most)
    }

    private mutating func repetition() throws(RegularExpressionError) -> (least: Int, most: Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        let start = place
        guard take("{"), let least = number() else {
            // Anything else between braces stands for itself.
            place = start
            return nil
        }
        var most: Int? = least
        if take(",") { most = number() }
        guard take("}") else {
            place = start
            return nil
        }
        guard least <= Self.mostRepetitions, most ?? 0 <= Self.mostRepetitions else {
            throw fault("more than \(Self.mostRepetitions) repetitions")
        }
        guard most ?? least >= least else { throw fault("a repetition whose bounds are upside down") }
        return (least, most)
    }

    private mutating func number() -> Int? {
        let digits = text[place...].prefix { CharacterSet.digits.contains($0) }
        // A zero in front makes it no number, as in RE2.
        guard let first = digits.first, digits.count == 1 || first != "0" else { return nil }
        place += digits.count
        return digits.reduce(0) { min($0 * 10 + Int($1.value - 0x30), Self.mostRepetitions + 1) }
    }

    private mutating func atom() throws(RegularExpressionError) -> Pattern? {
        guard let scalar = next else { return .empty }
        let start = place
        if scalar == "{", try repetition() != nil {
            place = start
            throw fault("nothing to repeat before \"{\"")
        }
        place += 1
        switch scalar {
        case "(": return try group()
        case "[": return .character(cased(try bracketed()))
        case ".": return .character(flags.dotTakesNewline ? .all : .allButNewline)
        case "^": return .assertion(.start)
        case "$": return .assertion(.end)
        case "*", "+", "?":
            place -= 1
            throw fault("nothing to repeat before \"\(scalar)\"")
        case "\\": return try escape()
        default: return .character(cased(CharacterSet(scalar)))
        }
    }

    func cased(_ set: CharacterSet) -> CharacterSet { flags.ignoresCase ? set.ignoringCase() : set }

    // MARK: Groups

    private mutating func group() throws(RegularExpressionError) -> Pattern? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepestNesting else { throw fault("nested too deeply") }
        let outer = flags
        if take("?") {
            if next == "P" || next == "<" {
                try groupName()
            } else if try groupFlags() {
                // They hold up to the end of the group around.
                return nil
            }
        }
        let opening = place
        let pattern = try alternatives()
        guard take(")") else {
            place = opening
            throw fault("\"(\" without \")\"")
        }
        flags = outer
        return pattern
    }

    /// `?P<name>` or `?<name>`; the name is of no use here.
    private mutating func groupName() throws(RegularExpressionError) {
        _ = take("P")
        guard take("<") else { throw fault("an unknown kind of group") }
        let name = text[place...].prefix { CharacterSet.isWord($0) }
        guard !name.isEmpty else {
            throw fault("looking behind is not possible, and a group's name has letters and digits only")
        }
        place += name.count
        guard take(">") else { throw fault("a group's name that does not end") }
    }

    /// - Returns: whether the group ends behind the flags.
    private mutating func groupFlags() throws(RegularExpressionError) -> Bool {
        var isSet = true
        while let scalar = next {
            place += 1
            switch scalar {
            case "i": flags.ignoresCase = isSet
            case "s": flags.dotTakesNewline = isSet
            // Lines and laziness make no difference to a single-line text that is matched whole.
            case "m", "U": break
            case "-": isSet = false
            case ":": return false
            case ")": return true
            case "=", "!": throw fault("looking ahead is not possible")
            default: throw fault("an unknown kind of group")
            }
        }
        throw fault("\"(\" without \")\"")
    }
}
