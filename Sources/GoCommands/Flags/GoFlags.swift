import TunnelConfiguration

/// The command lines of the Go program, as Go's flag package reads them: each flag with one dash or two, `-flag value`
/// or `-flag=value`, booleans without a value; `--` or the first argument that is no flag ends them.
package struct GoFlags: Sendable {
    /// One flag: what it takes, and what the usage says of it.
    package struct Declaration: Sendable {
        package enum Kind: Sendable {
            /// Placeholder for the usage.
            case text(String)
            case integer(String)
            case boolean
        }

        package let name: String
        package let kind: Kind
        /// The default as the usage shows it; nil for none.
        package let defaultText: String?
        package let help: String

        package init(_ name: String, _ kind: Kind, default defaultText: String? = nil, _ help: String) {
            self.name = name
            self.kind = kind
            self.defaultText = defaultText
            self.help = help
        }
    }

    /// What the flags were given. A flag that comes twice has its last value, as in Go.
    package struct Values: Hashable, Sendable {
        package var texts: [String: String] = [:]
        package var integers: [String: Int] = [:]
        package var booleans: [String: Bool] = [:]
        /// What follows the flags.
        package var rest: [String] = []
        /// How many arguments stand before `rest`.
        package var restStart = 0
    }

    /// How reading ended.
    package enum Outcome: Hashable, Sendable {
        case values(Values)
        /// `-h`, `-help`: only the usage is wanted.
        case help
        /// What is wrong with the first flag that cannot be taken; never holds a value that may be secret.
        case fault(String)
    }

    /// The command that the flags belong to, such as `wstunnel cli`.
    package let command: String
    package let declarations: [Declaration]

    package init(command: String, _ declarations: [Declaration]) {
        self.command = command
        self.declarations = declarations
    }

    /// - Parameter arguments: what follows the command.
    package func parse(_ arguments: [String]) -> Outcome {
        var values = Values()
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            guard argument.utf8.count > 1, argument.hasPrefix("-") else { break }
            index += 1
            if argument == "--" { break }
            let flag = Self.split(argument)
            guard !flag.name.isEmpty, !flag.name.hasPrefix("-"), !flag.name.hasPrefix("=") else {
                return .fault("an argument starts with dashes but names no flag")
            }
            guard let declaration = declarations.first(where: { $0.name == flag.name }) else {
                if flag.name == "h" || flag.name == "help" { return .help }
                return .fault(unknown(flag.name))
            }
            var value = flag.value
            if case .boolean = declaration.kind {
                value = value ?? "true"
            } else if value == nil {
                guard index < arguments.count else { return .fault("-\(flag.name) needs a value") }
                value = arguments[index]
                index += 1
            }
            if let fault = Self.set(declaration, to: value ?? "", in: &values) { return .fault(fault) }
        }
        values.rest = Array(arguments[index...])
        values.restStart = index
        return .values(values)
    }

    /// The name without its one or two dashes, and what follows the first `=`.
    static func split(_ argument: String) -> (name: String, value: String?) {
        let bare = argument.hasPrefix("--") ? argument.dropFirst(2) : argument.dropFirst()
        guard let equals = bare.firstIndex(of: "="), equals > bare.startIndex else {
            return (String(bare), nil)
        }
        return (String(bare[..<equals]), String(bare[bare.index(after: equals)...]))
    }

    private static func set(_ declaration: Declaration, to value: String, in values: inout Values) -> String?
    {
        let name = declaration.name
        switch declaration.kind {
        case .text: values.texts[name] = value
        case .boolean:
            guard let boolean = boolean(value) else {
                return "-\(name) is on or off: write -\(name) or -\(name)=false"
            }
            values.booleans[name] = boolean
        case .integer:
            guard let integer = integer(value) else { return "-\(name) takes a whole number" }
            values.integers[name] = integer
        }
        return nil
    }

    /// A mistyped secret may stand where a flag is expected, so only the start of an unknown one is shown.
    private func unknown(_ name: String) -> String {
        let names = declarations.map(\.name)
        if let near = NearMiss.nearest(to: name, among: names) {
            return "\(Quotation.of("-" + name)) is no flag of \(command): did you mean -\(near)?"
        }
        let shown = name.unicodeScalars.count > 12 ? "\(String(name.unicodeScalars.prefix(8)))..." : name
        return "\(Quotation.of("-" + shown)) is no flag of \(command)"
    }

    /// As Go's `strconv.ParseBool`.
    static func boolean(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }

    /// As Go's `strconv.ParseInt` with base 0: a sign, then decimal, `0x`, `0o` or `0` (octal), `0b`; underscores
    /// between digits, and behind a prefix.
    static func integer(_ text: String) -> Int? {
        var digits = text[...]
        let isNegative = digits.hasPrefix("-")
        if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
        var radix = 10
        switch digits.prefix(2).lowercased() {
        case "0x": radix = 16
        case "0o": radix = 8
        case "0b": radix = 2
        default:
            if digits.hasPrefix("0"), digits.utf8.count > 1 {
                return number(digits.dropFirst(), radix: 8, isNegative)
            }
            return digits.hasPrefix("_") ? nil : number(digits, radix: 10, isNegative)
        }
        return number(digits.dropFirst(2), radix: radix, isNegative)
    }

    private static func number(_ digits: Substring, radix: Int, _ isNegative: Bool) -> Int? {
        var plain = digits
        if digits.contains("_") {
            guard !digits.hasSuffix("_"), digits.firstRange(of: "__") == nil else { return nil }
            plain = digits.filter { $0 != "_" }[...]
        }
        guard let first = plain.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+") else {
            return nil
        }
        return Int((isNegative ? "-" : "") + plain, radix: radix)
    }
}
