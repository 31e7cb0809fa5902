/// One step of a compiled pattern; targets are places in the program.
enum Instruction: Hashable, Sendable {
    /// Takes one character of a set.
    case match(CharacterSet, following: Int)
    case split(Int, Int)
    case jump(Int)
    case assert(Assertion, following: Int)
    case accept
}

/// What must hold between two characters.
enum Assertion: Hashable, Sendable {
    case start, end
    case wordBoundary, noWordBoundary

    func holds(between before: Unicode.Scalar?, and after: Unicode.Scalar?) -> Bool {
        switch self {
        case .start: before == nil
        case .end: after == nil
        case .wordBoundary: CharacterSet.isWord(before) != CharacterSet.isWord(after)
        case .noWordBoundary: CharacterSet.isWord(before) == CharacterSet.isWord(after)
        }
    }
}

/// A set of characters, by ranges.
struct CharacterSet: Hashable, Sendable {
    var ranges: [ClosedRange<UInt32>] = []
    var isInverted = false

    init(_ ranges: [ClosedRange<UInt32>] = [], isInverted: Bool = false) {
        self.ranges = ranges
        self.isInverted = isInverted
    }

    init(_ scalar: Unicode.Scalar) { self.init([scalar.value...scalar.value]) }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        ranges.contains { $0.contains(scalar.value) } != isInverted
    }

    /// Adds all characters of another set.
    mutating func formUnion(_ other: CharacterSet) {
        ranges += other.isInverted ? Self.complement(of: other.ranges) : other.ranges
    }

    /// The same set with the other case of each ASCII letter.
    func ignoringCase() -> CharacterSet {
        var set = self
        for range in ranges {
            for (letters, distance) in [(UInt32(0x41)...0x5a, 32), (UInt32(0x61)...0x7a, -32)] {
                let low = max(range.lowerBound, letters.lowerBound)
                let high = min(range.upperBound, letters.upperBound)
                guard low <= high else { continue }
                set.ranges.append(UInt32(Int(low) + distance)...UInt32(Int(high) + distance))
            }
        }
        return set
    }

    private static func complement(of ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var gaps: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if range.lowerBound > next { gaps.append(next...(range.lowerBound - 1)) }
            next = max(next, range.upperBound + 1)
        }
        if next <= 0x10ffff { gaps.append(next...0x10ffff) }
        return gaps
    }

    static let digits = CharacterSet([0x30...0x39])
    static let word = CharacterSet([0x30...0x39, 0x41...0x5a, 0x5f...0x5f, 0x61...0x7a])
    static let space = CharacterSet([0x09...0x0a, 0x0c...0x0d, 0x20...0x20])
    static let all = CharacterSet([0...0x10ffff])
    static let allButNewline = CharacterSet([0x0a...0x0a], isInverted: true)

    static func isWord(_ scalar: Unicode.Scalar?) -> Bool { scalar.map(word.contains) ?? false }

    /// The classes that are written `[:name:]`.
    static let named: [String: CharacterSet] = [
        "alnum": CharacterSet([0x30...0x39, 0x41...0x5a, 0x61...0x7a]),
        "alpha": CharacterSet([0x41...0x5a, 0x61...0x7a]), "ascii": CharacterSet([0...0x7f]),
        "blank": CharacterSet([0x09...0x09, 0x20...0x20]), "cntrl": CharacterSet([0...0x1f, 0x7f...0x7f]),
        "digit": digits, "graph": CharacterSet([0x21...0x7e]), "lower": CharacterSet([0x61...0x7a]),
        "print": CharacterSet([0x20...0x7e]),
        "punct": CharacterSet([0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e]),
        "space": CharacterSet([0x09...0x0d, 0x20...0x20]), "upper": CharacterSet([0x41...0x5a]),
        "word": word, "xdigit": CharacterSet([0x30...0x39, 0x41...0x46, 0x61...0x66]),
    ]
}

/// A pattern as it was read.
indirect enum Pattern: Hashable, Sendable {
    case empty
    case character(CharacterSet)
    case assertion(Assertion)
    case sequence([Pattern])
    case alternatives([Pattern])
    /// No upper bound: any number.
    case repeated(Pattern, least: Int, most: Int?)
}

/// Turns a pattern into a program (Thompson's construction).
struct ProgramBuilder {
    private var program: [Instruction] = []

    static func build(_ pattern: Pattern) throws(RegularExpressionError) -> [Instruction] {
        var builder = ProgramBuilder()
        try builder.add(pattern)
        try builder.append(.accept)
        return builder.program
    }

    private mutating func add(_ pattern: Pattern) throws(RegularExpressionError) {
        switch pattern {
        case .empty: break
        case .character(let set): try append(.match(set, following: program.count + 1))
        case .assertion(let assertion): try append(.assert(assertion, following: program.count + 1))
        case .sequence(let parts): for part in parts { try add(part) }
        case .alternatives(let parts): try add(alternatives: parts[...])
        case .repeated(let part, let least, let most):
            for _ in 0..<least {
                let before = program.count
                try add(part)
                // What needs no instruction is no different a second time, and its limit would never come.
                if program.count == before { break }
            }
            if let most {
                for _ in least..<max(least, most) { try addOptional(part) }
            } else {
                try addLoop(part)
            }
        }
    }

    private mutating func add(alternatives parts: ArraySlice<Pattern>) throws(RegularExpressionError) {
        guard let first = parts.first else { return }
        guard parts.count > 1 else { return try add(first) }
        let split = try reserve()
        try add(first)
        let jump = try reserve()
        program[split] = .split(split + 1, program.count)
        try add(alternatives: parts.dropFirst())
        program[jump] = .jump(program.count)
    }

    private mutating func addOptional(_ part: Pattern) throws(RegularExpressionError) {
        let split = try reserve()
        try add(part)
        program[split] = .split(split + 1, program.count)
    }

    private mutating func addLoop(_ part: Pattern) throws(RegularExpressionError) {
        let split = try reserve()
        try add(part)
        try append(.jump(split))
        program[split] = .split(split + 1, program.count)
    }

    private mutating func reserve() throws(RegularExpressionError) -> Int {
        try append(.accept)
        return program.count - 1
    }

    private mutating func append(_ instruction: Instruction) throws(RegularExpressionError) {
        guard program.count < RegularExpression.longestProgram else {
            throw RegularExpressionError(message: "the expression is too large", offset: 0)
        }
        program.append(instruction)
    }
}
