/// Writes a `tunnels.yaml`: every text in double quotes, so that nothing in it can become structure or a variable.
package struct ConfigurationText {
    package private(set) var text = ""

    package init() {}

    /// A line that is no part of the document.
    package mutating func comment(_ line: String) { text += "# \(line)\n" }

    /// - Parameter indentation: spaces before the line.
    package mutating func line(_ indentation: Int, _ line: String) {
        text += String(repeating: " ", count: indentation) + line + "\n"
    }

    /// All lines of another one behind these.
    package mutating func append(_ other: ConfigurationText) { text += other.text }

    /// A key with a text, or nothing where there is none.
    package mutating func entry(_ indentation: Int, _ key: String, text value: String?) {
        if let value { line(indentation, "\(key): \(Self.quoted(value))") }
    }

    /// A key with something that needs no quotes, or nothing where there is none.
    package mutating func entry(
        _ indentation: Int, _ key: String, plain value: (some CustomStringConvertible)?
    ) {
        if let value { line(indentation, "\(key): \(value)") }
    }

    /// A text that means itself: `"`, `\`, control characters and `${` escaped.
    package static func quoted(_ text: String) -> String {
        "\"" + escaped(literal(text)) + "\""
    }

    /// A text with a variable in it: `${name}` stands between two texts that mean themselves.
    package static func quoted(_ before: String, variable: String, _ after: String) -> String {
        let parts = [before, after].map { escaped(literal($0)) }
        return "\"\(parts[0])${\(variable)}\(parts[1])\""
    }

    private static func literal(_ text: String) -> String {
        text.utf8.contains(UInt8(ascii: "$")) ? text.replacing("${", with: "$${") : text
    }

    private static func escaped(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            0x20...0x7e ~= byte && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
        }
        if isPlain { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": escaped += "\\\""
            case "\\": escaped += "\\\\"
            default:
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .unassigned,
                    .privateUse, .surrogate:
                    escaped += scalar == " " ? " " : hexadecimal(scalar)
                default: escaped.unicodeScalars.append(scalar)
                }
            }
        }
        return escaped
    }

    private static func hexadecimal(_ scalar: Unicode.Scalar) -> String {
        let digits = String(scalar.value, radix: 16)
        let (letter, width) = scalar.value <= 0xff ? ("x", 2) : scalar.value <= 0xffff ? ("u", 4) : ("U", 8)
        return "\\\(letter)" + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
