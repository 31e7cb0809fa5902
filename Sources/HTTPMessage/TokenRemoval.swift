package import struct NIOCore.ByteBuffer

/// Takes a tunnel's token out of a request's target and fields, wherever a caller that named its tunnel by
/// `/_token/<token>/` may have put it: `Referer`, `Destination`, a query, a cookie.
///
/// `<base path>/_token/<token>` is left out of paths, so that they are those of the origin; what holds the token
/// otherwise gets `***` in its place. Per cent escapes are looked through, up to three deep.
package struct TokenRemoval: Sendable {
    private static let mask = Array("***".utf8)
    private static let word = Array("_token".utf8)

    private let token: [UInt8]
    private let search: TokenSearch
    private let basePath: [UInt8]

    /// - Parameters:
    ///   - token: not empty.
    ///   - basePath: of the server: "" or a path with a leading and without a trailing slash.
    package init(token: String, basePath: String) {
        self.token = Array(token.utf8)
        self.search = TokenSearch(self.token)
        self.basePath = Array(basePath.utf8)
    }

    /// Whether a head may hold the token and is worth a closer look. Quick: nearly every head holds neither the token nor
    /// an escape that could be part of it.
    package static func mayFind(_ token: String, in head: ByteBuffer) -> Bool {
        head.withUnsafeReadableBytes { mayFind(token, in: $0) }
    }

    /// The same of its first bytes.
    static func mayFind(_ token: String, in head: ByteBuffer, first count: Int) -> Bool {
        head.withUnsafeReadableBytes { mayFind(token, in: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    /// The same of lines.
    static func mayFind(_ token: String, in lines: [UInt8]) -> Bool {
        lines.withUnsafeBytes { mayFind(token, in: $0) }
    }

    /// The same of another text.
    package static func mayFind(_ token: String, in target: String) -> Bool {
        // Most targets are shorter than any token, and escapes make no text shorter than what they stand for.
        guard target.utf8.count >= token.utf8.count else { return false }
        var target = target
        return target.withUTF8 { mayFind(token, in: UnsafeRawBufferPointer($0)) }
    }

    private static func mayFind(_ token: String, in memory: UnsafeRawBufferPointer) -> Bool {
        var token = token
        return token.withUTF8 { token in
            let token = UnsafeRawBufferPointer(token)
            if TokenSearch.holds(memory, token) { return true }
            guard memory.firstByte(UInt8(ascii: "%")) != nil else { return false }
            return depths(token).contains { depth in
                ResolvedText(memory, depth: depth).bytes.withUnsafeBytes { TokenSearch.holds($0, token) }
            }
        }
    }

    /// How deep escapes are to be resolved to find the token: those of a token that holds a per cent sign itself may end
    /// at each.
    private static func depths(_ token: some Sequence<UInt8>) -> ClosedRange<Int> {
        token.contains(UInt8(ascii: "%")) ? 1...3 : 3...3
    }

    /// A target without the token, for whoever only needs that: the log.
    package static func clean(_ target: String, token: String, basePath: String) -> String {
        guard mayFind(token, in: target) else { return target }
        let removal = TokenRemoval(token: token, basePath: basePath)
        let cleaned = Array(target.utf8).withUnsafeBytes(removal.cleaned)
        return cleaned.map { String(decoding: $0, as: UTF8.self) } ?? target
    }

    /// A target for the log: the caller may have written another token than the one that counts, where tokens stand in
    /// paths.
    package static func masked(_ target: String) -> String {
        var text = target
        let isPlain = text.withUTF8 { bytes in
            let memory = UnsafeRawBufferPointer(bytes)
            // Most targets have none.
            guard memory.firstByte(UInt8(ascii: "_")) != nil else { return true }
            return pathPrefix.withUTF8Buffer { !TokenSearch.holds(memory, UnsafeRawBufferPointer($0)) }
        }
        guard !isPlain else { return target }
        let parts = target.split(separator: "/_token/", omittingEmptySubsequences: false)
        return String(parts[0])
            + parts.dropFirst().map { "/_token/***" + $0.drop { !"/?#&".contains($0) } }.joined()
    }

    private static let pathPrefix: StaticString = "/_token/"

    /// Takes the token out.
    package func clean(_ head: inout RequestHead) {
        if let target = Array(head.target.utf8).withUnsafeBytes(cleaned) {
            head.target = String(decoding: target, as: UTF8.self)
        }
        clean(&head.fields)
    }

    /// The same of fields alone, such as trailers.
    package func clean(_ fields: inout HeaderFields) {
        fields.removeNames { search.first(in: $0) != nil }
        fields.replaceValues { cleaned($0) }
    }

    /// - Returns: nil where the token is not in it.
    func cleaned(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        var output = cleaned(text, depth: 0)
        guard text.firstByte(UInt8(ascii: "%")) != nil else { return output }
        for depth in Self.depths(token) {
            output =
                output.map { text in text.withUnsafeBytes { cleaned($0, depth: depth) } ?? text }
                ?? cleaned(text, depth: depth)
        }
        return output
    }

    private func cleaned(_ text: UnsafeRawBufferPointer, depth: Int) -> [UInt8]? {
        let resolved = ResolvedText(text, depth: depth)
        return resolved.bytes.withUnsafeBytes { bytes in
            guard var found = search.first(in: bytes) else { return nil }
            var output: [UInt8] = []
            var start = 0
            while true {
                let (lower, upper) = (resolved.places[found], resolved.places[found + token.count])
                if let prefix = prefix(before: lower, in: text), prefix.lowerBound >= start,
                    endsSegment(at: upper, in: text)
                {
                    // The slash that leads the prefix stays where none follows.
                    let keepsSlash = text.slash(at: upper) == nil
                    output += text[start..<(keepsSlash ? prefix.upperBound : prefix.lowerBound)]
                } else {
                    output += text[start..<lower]
                    output += Self.mask
                }
                start = upper
                guard let next = search.first(in: bytes, from: found + token.count) else { break }
                found = next
            }
            return output + text[start...]
        }
    }

    /// `<base path>/_token/` before an index: from its start to behind its first slash.
    private func prefix(before end: Int, in text: UnsafeRawBufferPointer) -> Range<Int>? {
        guard let second = text.slash(before: end), second.lowerBound >= Self.word.count,
            text[second.lowerBound - Self.word.count..<second.lowerBound].elementsEqual(Self.word),
            let first = text.slash(before: second.lowerBound - Self.word.count)
        else { return nil }
        var start = first
        var index = first.lowerBound
        for byte in basePath.reversed() {
            if byte == UInt8(ascii: "/"), let slash = text.slash(before: index) {
                index = slash.lowerBound
                start = slash
            } else if index > 0, text[index - 1] == byte {
                index -= 1
            } else {
                return first
            }
        }
        return start
    }

    /// Whether a path segment ends there, so that it is the token's and not that of another one which begins alike.
    private func endsSegment(at index: Int, in text: UnsafeRawBufferPointer) -> Bool {
        guard index < text.count, text.slash(at: index) == nil else { return true }
        return "?#>\"' ,;&".utf8.contains(text[index])
    }
}

extension UnsafeRawBufferPointer {
    /// Where a slash ends, plain or escaped, that begins there.
    fileprivate func slash(at index: Int) -> Int? {
        let slash = UInt8(ascii: "/")
        return index < count ? end(of: slash, at: index) : nil
    }

    /// The slash, plain or escaped, that ends there.
    fileprivate func slash(before end: Int) -> Range<Int>? {
        for length in [1, 3, 5, 7] where length <= end {
            if slash(at: end - length) == end { return end - length..<end }
        }
        return nil
    }

    /// Where one byte ends that begins there: itself, or `%41`, `%2541`, `%252541`, the longest that fits.
    private func end(of byte: UInt8, at start: Int) -> Int? {
        var end = self[start] == byte ? start + 1 : nil
        guard self[start] == UInt8(ascii: "%") else { return end }
        var index = start + 1
        for _ in 0..<3 {
            guard index + 1 < count, let high = self[index].hexadecimalValue,
                let low = self[index + 1].hexadecimalValue
            else { break }
            let value = high << 4 | low
            index += 2
            if value == byte { end = index }
            guard value == UInt8(ascii: "%") else { break }
        }
        return end
    }
}
