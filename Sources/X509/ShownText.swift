/// Text of a certificate, which anybody may have written, as a message may show it: nothing in it moves a terminal's
/// cursor, turns the direction of writing, hides, or fills the screen.
struct ShownText {
    /// Longest, in Unicode scalars.
    static let longest = 200

    private var pieces: [String] = []
    private var count = 0

    /// Whether no more of it will be shown.
    var isFull: Bool { count > Self.longest }

    /// What is longer than allowed ends in `…`; no piece is cut apart.
    var text: String {
        guard isFull else { return pieces.joined() }
        var room = Self.longest - 1
        let kept = pieces.prefix { piece in
            room -= piece.unicodeScalars.count
            return room >= 0
        }
        return kept.joined() + "…"
    }

    mutating func append(_ piece: String) {
        guard !isFull else { return }
        pieces.append(piece)
        count += piece.unicodeScalars.count
    }

    /// As RFC 4514 §2.4 escapes: `\0A` for each byte that is not shown.
    mutating func append(hex bytes: some Sequence<UInt8>, prefix: String = "\\") {
        for byte in bytes where !isFull {
            append((byte < 16 ? "\(prefix)0" : prefix) + String(byte, radix: 16, uppercase: true))
        }
    }

    mutating func append(escaping scalar: Unicode.Scalar) {
        if scalar == "\\" {
            append("\\\\")
        } else if Self.isShown(scalar) {
            append(String(scalar))
        } else {
            append(hex: String(scalar).utf8)
        }
    }

    /// A text that stands alone.
    static func escaped(_ text: String) -> String {
        var shown = ShownText()
        for scalar in text.unicodeScalars where !shown.isFull { shown.append(escaping: scalar) }
        return shown.text
    }

    /// ASCII that stands alone; other bytes are escaped.
    static func escaped(ascii bytes: ArraySlice<UInt8>) -> String {
        var shown = ShownText()
        for byte in bytes where !shown.isFull {
            if byte < 0x80 {
                shown.append(escaping: Unicode.Scalar(byte))
            } else {
                shown.append(hex: CollectionOfOne(byte))
            }
        }
        return shown.text
    }

    private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7f { return scalar.value >= 0x20 }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return false
        default: return !scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}
