/// The document as text: the checks that come before parsing, and its lines for messages.
package struct YAMLText: Sendable {
    /// The bytes without a byte order mark.
    let bytes: ArraySlice<UInt8>

    /// - Parameter bytes: the whole document; a UTF-8 byte order mark is skipped.
    package init(_ bytes: [UInt8]) {
        self.bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes[3...] : bytes[...]
    }

    /// The lines, split where YAML 1.1 splits them (LF, CR LF, CR, NEL, LS, PS), without their breaks.
    /// Bytes that are no UTF-8 come out as replacement characters.
    package var lines: [String] {
        var lines: [String] = []
        var line = String.UnicodeScalarView()
        var previous: Unicode.Scalar?
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            defer { previous = scalar }
            if scalar == "\n" && previous == "\r" { continue }
            if Self.isLineBreak(scalar) {
                lines.append(String(line))
                line.removeAll(keepingCapacity: true)
            } else {
                line.append(scalar)
            }
        }
        lines.append(String(line))
        return lines
    }

    /// The first problem that makes the bytes unfit for a YAML parser, if any.
    func firstProblem(limits: YAMLLimits) -> YAMLProblem? {
        if bytes.count > limits.size {
            return YAMLProblem(.tooLarge(limit: limits.size), at: YAMLMark(line: 1, column: 1))
        }
        if bytes.allSatisfy({ $0 < 0x7f && ($0 >= 0x20 || $0 == 0x0a || $0 == 0x0d || $0 == 0x09) }) {
            return nil
        }
        return firstForbiddenCharacter()
    }

    private func firstForbiddenCharacter() -> YAMLProblem? {
        var decoder = UTF8()
        var iterator = bytes.makeIterator()
        var line = 1
        var column = 1
        var previous: Unicode.Scalar?
        while true {
            let mark = YAMLMark(line: line, column: column)
            switch decoder.decode(&iterator) {
            case .emptyInput: return nil
            case .error: return YAMLProblem(.notUTF8, at: mark)
            case .scalarValue(let scalar):
                if scalar.value == 0 { return YAMLProblem(.nul, at: mark) }
                if Self.isForbidden(scalar) {
                    return YAMLProblem(.forbiddenCharacter(scalar.value), at: mark)
                }
                if scalar == "\n" && previous == "\r" {
                    column = 1
                } else if Self.isLineBreak(scalar) {
                    line += 1
                    column = 1
                } else {
                    column += 1
                }
                previous = scalar
            }
        }
    }

    private static func isLineBreak(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0a, 0x0d, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// YAML 1.1 §4.1: what is not printable may only be written as an escape.
    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0a, 0x0d, 0x20...0x7e, 0x85, 0xa0...0xd7ff, 0xe000...0xfefe, 0xff00...0xfffd,
            0x1_0000...0x10_ffff:
            false
        default: true
        }
    }
}
