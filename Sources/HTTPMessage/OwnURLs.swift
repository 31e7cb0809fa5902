/// The URLs in a field that lead to where the caller sent its request: those of `Destination`, `If` and `Referer`
/// (RFC 4918 §10.3, §10.4), which have to follow when the host or the path in front of the request changes.
package enum OwnURLs {
    /// One URL, split before its path.
    package struct URL: Equatable {
        /// Scheme and authority; "" for a path alone.
        package var front: String
        /// Path, query and fragment; may be empty.
        package var path: String
    }

    /// - Parameters:
    ///   - value: a URL, or a text with URLs in `<` and `>`.
    ///   - host: as in the request's `Host`.
    ///   - change: gets each own URL, and each path alone; nil leaves it as it is.
    /// - Returns: the value with what `change` gave in their places; nil where nothing changed.
    package static func rewrite(_ value: String, host: String, _ change: (URL) -> String?) -> String? {
        guard value.contains("<") else { return rewriteOne(value[...], host: host, change) }
        var (output, rest, isChanged) = ("", value[...], false)
        while let opening = rest.firstIndex(of: "<") {
            let start = rest.index(after: opening)
            let end = rest[start...].firstIndex(of: ">") ?? rest.endIndex
            let changed = rewriteOne(rest[start..<end], host: host, change)
            isChanged = isChanged || changed != nil
            output += rest[...opening] + (changed ?? String(rest[start..<end]))
            rest = rest[end...]
        }
        return isChanged ? output + rest : nil
    }

    /// The scheme is the caller's business: what stands in front may have taken TLS off.
    private static func rewriteOne(_ text: Substring, host: String, _ change: (URL) -> String?) -> String? {
        if text.hasPrefix("/") { return change(URL(front: "", path: String(text))) }
        guard let separator = text.firstRange(of: "://"),
            ["http", "https"].contains(text[..<separator.lowerBound].lowercased())
        else { return nil }
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        guard !host.isEmpty, authority.lowercased() == host.lowercased() else { return nil }
        return change(
            URL(front: String(text[..<authority.endIndex]), path: String(rest[authority.endIndex...])))
    }
}
