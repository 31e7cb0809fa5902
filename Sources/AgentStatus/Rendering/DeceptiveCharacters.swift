extension Unicode.Scalar {
    /// Characters that a reader does not see but that change what is seen: controls (C0, DEL, C1 with its one-byte CSI),
    /// what has no width, line and paragraph separators, marks of direction, the byte order mark. All lie below U+10000.
    package var isDeceptive: Bool {
        switch value {
        case 0..<0x20, 0x7f...0x9f, 0xad: true
        case 0x061c, 0x180e, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff, 0xfff9...0xfffb: true
        default: false
        }
    }
}

extension String {
    /// The text of others with `?` for each character that deceives: it does nothing to a terminal, and no line of it looks
    /// like one of ours.
    package var undeceiving: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.isDeceptive ? "?" : $0 }))
    }

    /// A JSON text with its deceptive characters as escapes (RFC 8259 §7); the line feeds that lay it out stay.
    package var jsonUndeceiving: String {
        guard unicodeScalars.contains(where: { $0.isDeceptive && $0 != "\n" }) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            guard scalar.isDeceptive, scalar != "\n" else {
                text.unicodeScalars.append(scalar)
                continue
            }
            let digits = String(scalar.value, radix: 16)
            text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
        return text
    }
}
