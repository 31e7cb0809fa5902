/// A regular expression that is matched in time proportional to its size times the length of the text, whatever
/// either holds: there is no backtracking.
///
/// The syntax is the one that RE2 and Go share, without classes of Unicode properties. What a machine without
/// backtracking cannot do (references to groups, looking ahead or behind) is an error.
package struct RegularExpression: Sendable, Hashable {
    /// Longest program, in instructions: bounds what one character of a text costs.
    static let longestProgram = 2000

    private let program: [Instruction]

    /// - Throws: what is wrong with the pattern.
    package init(_ pattern: String) throws(RegularExpressionError) {
        var parser = PatternParser(pattern)
        program = try ProgramBuilder.build(try parser.parse())
    }

    /// Whether the pattern describes the whole text, as if it stood between `^` and `$`.
    package func matchesWhole(of text: String) -> Bool {
        var current = StateSet(count: program.count)
        var next = StateSet(count: program.count)
        var before: Unicode.Scalar?
        let scalars = Array(text.unicodeScalars)
        add(0, to: &current, between: nil, and: scalars.first)
        for (index, scalar) in scalars.enumerated() {
            let after = index + 1 < scalars.count ? scalars[index + 1] : nil
            before = scalar
            for state in current.members {
                if case .match(let set, let following) = program[state], set.contains(scalar) {
                    add(following, to: &next, between: before, and: after)
                }
            }
            swap(&current, &next)
            next.removeAll()
            if current.members.isEmpty { return false }
        }
        return current.members.contains { program[$0] == .accept }
    }

    /// Enters a state and all that are reached from it without a character.
    private func add(
        _ first: Int, to states: inout StateSet, between before: Unicode.Scalar?, and after: Unicode.Scalar?
    ) {
        var open = [first]
        while let state = open.popLast() {
            guard states.insert(state) else { continue }
            switch program[state] {
            case .match, .accept: break
            case .jump(let target): open.append(target)
            case .split(let one, let other): open += [other, one]
            case .assert(let assertion, let following):
                if assertion.holds(between: before, and: after) { open.append(following) }
            }
        }
    }
}

/// What is wrong with a pattern, and where.
package struct RegularExpressionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In words, without a trailing period.
    package let message: String
    /// Characters before the place.
    package let offset: Int

    package var description: String { "\(message), at character \(offset + 1)" }
}

/// Which instructions of a program are alive, each once.
private struct StateSet {
    private(set) var members: [Int] = []
    private var isMember: [Bool]

    init(count: Int) { isMember = Array(repeating: false, count: count) }

    mutating func insert(_ state: Int) -> Bool {
        guard !isMember[state] else { return false }
        isMember[state] = true
        members.append(state)
        return true
    }

    mutating func removeAll() {
        for member in members { isMember[member] = false }
        members.removeAll(keepingCapacity: true)
    }
}
