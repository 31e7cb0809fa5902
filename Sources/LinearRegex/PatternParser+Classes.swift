extension PatternParser {
    /// What follows a backslash outside of brackets.
    mutating func escape() throws(RegularExpressionError) -> Pattern {
        switch next {
        case "A": return assertion(.start)
        case "z": return assertion(.end)
        case "b": return assertion(.wordBoundary)
        case "B": return assertion(.noWordBoundary)
        default:
            return .character(cased(try escapedSet()))
        }
    }

    private mutating func assertion(_ assertion: Assertion) -> Pattern {
        place += 1
        return .assertion(assertion)
    }

    mutating func takeQuotationMark() -> Bool {
        guard next == "\\", place + 1 < text.count, text[place + 1] == "Q" else { return false }
        place += 2
        return true
    }

    /// What stands between `\Q` and `\E`: every character stands for itself.
    mutating func quotation() -> [Pattern] {
        var parts: [Pattern] = []
        while let scalar = next {
            if scalar == "\\", place + 1 < text.count, text[place + 1] == "E" {
                place += 2
                break
            }
            parts.append(.character(cased(CharacterSet(scalar))))
            place += 1
        }
        return parts
    }

    /// A class or character behind a backslash, within brackets or not.
    private mutating func escapedSet() throws(RegularExpressionError) -> CharacterSet {
        guard let scalar = next else { throw fault("a backslash at the end") }
        place += 1
        switch scalar {
        case "d": return .digits
        case "D": return CharacterSet(CharacterSet.digits.ranges, isInverted: true)
        case "w": return .word
        case "W": return CharacterSet(CharacterSet.word.ranges, isInverted: true)
        case "s": return .space
        case "S": return CharacterSet(CharacterSet.space.ranges, isInverted: true)
        case "a": return CharacterSet("\u{7}")
        case "f": return CharacterSet("\u{c}")
        case "n": return CharacterSet("\n")
        case "r": return CharacterSet("\r")
        case "t": return CharacterSet("\t")
        case "v": return CharacterSet("\u{b}")
        case "x": return CharacterSet(try hexadecimal())
        case "1"..."9":
            throw fault("references to groups are not possible")
        default:
            guard scalar.isASCII, !CharacterSet.isWord(scalar) else {
                throw fault("\"\\\(scalar)\" has no meaning")
            }
            return CharacterSet(scalar)
        }
    }

    /// `\x2e` or `\x{2e}`.
    private mutating func hexadecimal() throws(RegularExpressionError) -> Unicode.Scalar {
        let isBraced = take("{")
        let digits = text[place...].prefix(isBraced ? 6 : 2).prefix { $0.properties.isASCIIHexDigit }
        place += digits.count
        let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16)
        guard let scalar = value.flatMap(Unicode.Scalar.init), isBraced ? take("}") : digits.count == 2 else {
            throw fault("\"\\x\" wants two digits, or up to six in braces")
        }
        return scalar
    }

    /// What stands between brackets; the opening one is taken.
    mutating func bracketed() throws(RegularExpressionError) -> CharacterSet {
        let opening = place
        var set = CharacterSet()
        set.isInverted = take("^")
        var isFirst = true
        while let scalar = next {
            if scalar == "]", !isFirst {
                place += 1
                // Case is folded before the set is inverted.
                let folded = cased(CharacterSet(set.ranges))
                return CharacterSet(folded.ranges, isInverted: set.isInverted)
            }
            isFirst = false
            set.formUnion(try bracketedItem())
        }
        place = opening
        throw fault("\"[\" without \"]\"")
    }

    private mutating func bracketedItem() throws(RegularExpressionError) -> CharacterSet {
        if let named = try namedClass() { return named }
        let start = place
        let low = try bracketedCharacter()
        guard next == "-", place + 1 < text.count, text[place + 1] != "]" else { return low }
        place += 1
        let high = try bracketedCharacter()
        guard let from = Self.single(low), let to = Self.single(high), from <= to else {
            place = start
            throw fault("a range that is none")
        }
        return CharacterSet([from...to])
    }

    private static func single(_ set: CharacterSet) -> UInt32? {
        guard set.ranges.count == 1, !set.isInverted, let range = set.ranges.first, range.count == 1 else {
            return nil
        }
        return range.lowerBound
    }

    private mutating func bracketedCharacter() throws(RegularExpressionError) -> CharacterSet {
        guard let scalar = next else { throw fault("\"[\" without \"]\"") }
        place += 1
        return scalar == "\\" ? try escapedSet() : CharacterSet(scalar)
    }

    /// `[:alpha:]` or `[:^alpha:]`, within brackets.
    private mutating func namedClass() throws(RegularExpressionError) -> CharacterSet? {
        guard next == "[", place + 1 < text.count, text[place + 1] == ":" else { return nil }
        var rest = text[(place + 2)...]
        let isInverted = rest.first == "^"
        if isInverted { rest = rest.dropFirst() }
        let name = rest.prefix { CharacterSet.isWord($0) }
        guard rest.dropFirst(name.count).starts(with: [":", "]"]) else { return nil }
        guard let set = CharacterSet.named[String(String.UnicodeScalarView(name))] else {
            throw fault("an unknown class of characters")
        }
        place = name.endIndex + 2
        return isInverted ? CharacterSet(set.ranges, isInverted: true) : set
    }
}
