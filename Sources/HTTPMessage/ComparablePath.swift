/// A request's path as it is compared with a path of the configuration: what some origin takes for the same is the same here,
/// so that nobody gets around a rule for `/admin` by `/./admin`, `//admin` or `/%61dmin`. Other origins take it for something
/// else: `otherReadings`.
package enum ComparablePath {
    /// - Parameter target: a path, perhaps with a query, which does not count.
    /// - Returns: without escapes, empty segments and those that mean this folder or the one above. Of what cannot be read as a
    ///   path the bytes as they are.
    package static func of(_ target: String) -> String {
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        guard needsReading(path) else { return String(Substring(path)) }
        return text(decoded(path), dropsParameters: false)
    }

    /// The same path as origins understand it that look less into it, or more: one that leaves it as it is, but for escapes
    /// that have to be there, and one that drops what stands behind a `;` in its segments. None of nearly every path.
    package static func otherReadings(of target: String) -> [String] {
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        let mayHaveParameters = path.contains(UInt8(ascii: ";"))
        guard needsReading(path) || mayHaveParameters else { return [] }
        let literal = String(decoding: PathEscapes.decodedWhereNeeded(Array(path)), as: UTF8.self)
        let bytes = decoded(path)
        guard mayHaveParameters || bytes.contains(UInt8(ascii: ";")) else { return [literal] }
        return [literal, text(bytes, dropsParameters: true)]
    }

    private static func decoded(_ path: Substring.UTF8View) -> [UInt8] {
        var bytes = Array(path)
        for _ in 0..<PathEscapes.mostLevels {
            guard let decoded = PathEscapes.decoded(bytes) else { break }
            bytes = decoded
        }
        return bytes
    }

    /// - Parameter bytes: a path without escapes.
    private static func text(_ bytes: [UInt8], dropsParameters: Bool) -> String {
        var segments: [ArraySlice<UInt8>] = []
        for whole in bytes.split(whereSeparator: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }) {
            let segment = dropsParameters ? whole.prefix { $0 != UInt8(ascii: ";") } : whole
            if segment.isEmpty || segment.elementsEqual(".".utf8) { continue }
            if ParentSegments.isParent(segment) {
                _ = segments.popLast()
            } else {
                segments.append(segment)
            }
        }
        var text: [UInt8] = []
        for segment in segments { text += [UInt8(ascii: "/")] + segment }
        // A slash at the end is no segment, but tells the folder from its name.
        if segments.isEmpty || bytes.last == UInt8(ascii: "/") { text.append(UInt8(ascii: "/")) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether it may be written in more than one way. Nearly no path is.
    private static func needsReading(_ path: Substring.UTF8View) -> Bool {
        var previous: UInt8 = 0
        for byte in path {
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: "\\"): return true
            case UInt8(ascii: "/") where previous == byte: return true
            case UInt8(ascii: ".") where previous == UInt8(ascii: "/"): return true
            default: previous = byte
            }
        }
        return false
    }
}
