/// How many columns of a terminal a text takes: characters of East Asia and pictures take two, marks on others none.
enum DisplayWidth {
    static func of(_ text: some StringProtocol) -> Int { text.reduce(0) { $0 + of($1) } }

    static func of(_ character: Character) -> Int {
        // Flags and joined pictures are of several, and as wide as the widest.
        let widest = character.unicodeScalars.reduce(0) { max($0, of($1)) }
        return character.unicodeScalars.contains("\u{fe0f}") ? 2 : widest
    }

    private static func of(_ scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: return isWide(scalar.value) ? 2 : 1
        }
    }

    /// Blocks whose characters are wide, or may be (Unicode Standard Annex 11).
    private static func isWide(_ value: UInt32) -> Bool {
        switch value {
        case 0x1100...0x115f, 0x231a...0x231b, 0x2329...0x232a, 0x23e9...0x23f3, 0x25fd...0x25fe,
            0x2614...0x2615,
            0x2648...0x2653, 0x267f, 0x2693, 0x26a1, 0x26aa...0x26ab, 0x26bd...0x26be, 0x26c4...0x26c5,
            0x26ce,
            0x26d4, 0x26ea, 0x26f2...0x26f3, 0x26f5, 0x26fa, 0x26fd, 0x2705, 0x270a...0x270b, 0x2728, 0x274c,
            0x274e, 0x2753...0x2755, 0x2757, 0x2795...0x2797, 0x27b0, 0x27bf, 0x2b1b...0x2b1c, 0x2b50, 0x2b55,
            0x2e80...0x303e, 0x3041...0xa4cf, 0xa960...0xa97c, 0xac00...0xd7a3, 0xf900...0xfaff,
            0xfe10...0xfe19, 0xfe30...0xfe6f, 0xff01...0xff60, 0xffe0...0xffe6, 0x16fe0...0x18cff,
            0x1aff0...0x1b2ff, 0x1f004, 0x1f0cf, 0x1f18e, 0x1f191...0x1f19a, 0x1f1e6...0x1f265,
            0x1f300...0x1f64f, 0x1f680...0x1f6ff, 0x1f7e0...0x1f7eb, 0x1f900...0x1f9ff, 0x1fa70...0x1faff,
            0x20000...0x3fffd:
            true
        default: false
        }
    }
}

extension String {
    /// The beginning that fits so many columns, with `…` where that is not all of it. What deceives is shown as `?`.
    func cut(toColumns columns: Int) -> String {
        let text = undeceiving
        guard DisplayWidth.of(text) > columns else { return text }
        guard columns > 0 else { return "" }
        var shown = ""
        var width = 0
        for character in text {
            let more = DisplayWidth.of(character)
            guard width + more < columns else { break }
            shown.append(character)
            width += more
        }
        return shown + "…"
    }

    /// The same, made exactly as wide by spaces.
    func fitted(toColumns columns: Int, isNumber: Bool = false) -> String {
        let shown = cut(toColumns: columns)
        let padding = String(repeating: " ", count: max(0, columns - DisplayWidth.of(shown)))
        return isNumber ? padding + shown : shown + padding
    }
}
