/// A scalar as written. What it means (text, number, boolean) is decided by whoever reads it, through the
/// typed getters below, so that `0123` stays `0123` where a text is wanted.
package struct YAMLScalar: Hashable, Sendable {
    /// How the scalar is written.
    package enum Style: Hashable, Sendable {
        /// Without quotes: the text decides the type.
        case plain
        /// In single or double quotes: always a text.
        case quoted
        /// A literal `|` or folded `>` block: always a text.
        case block
    }

    /// The types that a scalar may be tagged with (YAML 1.1, `tag:yaml.org,2002:`).
    package enum Tag: String, Hashable, Sendable {
        case str, int, float, bool, null
    }

    /// The text after unescaping and folding. Holds no NUL.
    package let text: String
    package let style: Style
    /// The explicit tag, if one is written. The non-specific `!` reads as `str`.
    package let tag: Tag?

    package init(text: String, style: Style, tag: Tag? = nil) {
        self.text = text
        self.style = style
        self.tag = tag
    }

    /// Whether the scalar can be nothing but a text: quoted, a block, or tagged `!!str`.
    package var isAlwaysText: Bool { tag == .str || (tag == nil && style != .plain) }

    /// Whether the scalar is YAML's null: empty, `~` or `null`.
    package var isNull: Bool { !isAlwaysText && (tag == .null || Self.nulls.contains(text)) }

    /// The boolean that the scalar stands for, or nil. YAML 1.1: `yes no on off true false`, in lower
    /// case, upper case or with a capital first letter; `y` and `n` are texts, as in PyYAML.
    package var boolean: Bool? {
        guard !isAlwaysText, tag == nil || tag == .bool else { return nil }
        return Self.boolean(from: text)
    }

    /// The whole number that the scalar stands for, or nil: decimal or `0x` hexadecimal, `_` between digits.
    /// A leading zero is refused, because YAML 1.1 reads octal there and people do not.
    package var integer: Int? {
        guard !isAlwaysText, tag == nil || tag == .int else { return nil }
        return Self.integer(from: text)
    }

    /// `boolean` for a text whose style does not matter.
    package static func boolean(from text: String) -> Bool? {
        guard let lowered = singleCase(text) else { return nil }
        if ["yes", "on", "true"].contains(lowered) { return true }
        if ["no", "off", "false"].contains(lowered) { return false }
        return nil
    }

    /// `integer` for a text whose style does not matter.
    package static func integer(from text: String) -> Int? {
        var digits = text[...]
        let isNegative = digits.first == "-"
        if isNegative || digits.first == "+" { digits.removeFirst() }
        let isHexadecimal = digits.hasPrefix("0x")
        if isHexadecimal { digits.removeFirst(2) }
        guard let first = digits.first, first != "_", digits.last != "_", first != "+", first != "-" else {
            return nil
        }
        guard isHexadecimal || first != "0" || digits.count == 1 else { return nil }
        return Int((isNegative ? "-" : "") + digits.filter { $0 != "_" }, radix: isHexadecimal ? 16 : 10)
    }

    private static let nulls: Set<String> = ["", "~", "null", "Null", "NULL"]

    /// The text in lower case when its case is one of the three that YAML 1.1 knows.
    private static func singleCase(_ text: String) -> String? {
        let lowered = text.lowercased()
        let capitalised = lowered.prefix(1).uppercased() + lowered.dropFirst()
        return [lowered, lowered.uppercased(), capitalised].contains(text) ? lowered : nil
    }
}
