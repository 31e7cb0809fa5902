/// A logfmt line read back, strictly: what is not `key=value` throughout is an error.
package struct LogfmtLine: Sendable {
    /// The fields in their order.
    package let fields: [(key: String, value: String)]

    /// The value of the first field of that name.
    package subscript(key: String) -> String? { fields.first { $0.key == key }?.value }

    /// - Parameter line: a line with or without its newline.
    /// - Throws: `TestFailure` with the rest that could not be read.
    package init(_ line: String) throws {
        var reader = Reader(rest: line.unicodeScalars[...])
        if reader.rest.last == "\n" { reader.rest.removeLast() }
        var fields: [(key: String, value: String)] = []
        while !reader.rest.isEmpty { fields.append((try reader.key(), try reader.value())) }
        self.fields = fields
    }
}

private struct Reader {
    var rest: Substring.UnicodeScalarView

    mutating func key() throws -> String {
        let key = rest.prefix { $0 != "=" && $0 != " " && $0 != "\"" }
        rest = rest[key.endIndex...]
        guard !key.isEmpty, rest.popFirst() == "=" else { throw malformed }
        return String(String.UnicodeScalarView(key))
    }

    /// Takes a value and the space behind it.
    mutating func value() throws -> String {
        let value = rest.first == "\"" ? try quotedValue() : bareValue()
        if let separator = rest.popFirst(), separator != " " { throw malformed }
        return value
    }

    private mutating func bareValue() -> String {
        let value = rest.prefix { $0 != " " }
        rest = rest[value.endIndex...]
        return String(String.UnicodeScalarView(value))
    }

    private mutating func quotedValue() throws -> String {
        rest.removeFirst()
        var value = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return String(value)
            case "\\": value.append(try escapedScalar())
            default: value.append(scalar)
            }
        }
        throw malformed
    }

    private mutating func escapedScalar() throws -> Unicode.Scalar {
        switch rest.popFirst() {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "\"": return "\""
        case "\\": return "\\"
        case "u":
            let digits = String(String.UnicodeScalarView(rest.prefix(4)))
            rest = rest.dropFirst(4)
            guard let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
                throw malformed
            }
            return scalar
        default: throw malformed
        }
    }

    private var malformed: TestFailure {
        TestFailure("not logfmt from here on: \(String(String.UnicodeScalarView(rest)))")
    }
}
