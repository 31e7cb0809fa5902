/// Text out of a file in a message: quoted, on one line, of bounded length.
package enum Quotation {
    private static let longest = 60

    package static func of(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars.prefix(longest) {
            switch scalar.properties.generalCategory {
            case .spaceSeparator where scalar == " ": quoted += " "
            case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate,
                .unassigned,
                .privateUse:
                quoted += "\\u{\(String(scalar.value, radix: 16))}"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + (text.unicodeScalars.count > longest ? "…\"" : "\"")
    }
}
