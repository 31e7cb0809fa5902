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
    private let basePath: [UInt8]

    /// - Parameters:
    ///   - token: not empty.
    ///   - basePath: of the server: "" or a path with a leading and without a trailing slash.
    package init(token: String, basePath: String) {
        self.token = Array(token.utf8)
        self.basePath = Array(basePath.utf8)
    }

    /// Whether a head may hold the token and is worth a closer look. Quick: nearly every head holds neither the token nor
    /// an escape that could be part of it.
    package static func mayFind(_ token: String, in head: ByteBuffer) -> Bool {
        head.withUnsafeReadableBytes { mayFind(token, in: $0) }
    }

    private static func mayFind(_ token: String, in target: String) -> Bool {
        var target = target
        return target.withUTF8 { mayFind(token, in: UnsafeRawBufferPointer($0)) }
    }

    private static func mayFind(_ token: String, in memory: UnsafeRawBufferPointer) -> Bool {
        var token = token
        return token.withUTF8 { token in
            let token = UnsafeRawBufferPointer(token)
            if memory.contains(token) { return true }
            return memory.firstByte(UInt8(ascii: "%")) != nil
                && memory.indices.contains { memory.end(of: token, at: $0) != nil }
        }
    }

    /// A target without the token, for whoever only needs that: the log.
    package static func clean(_ target: String, token: String, basePath: String) -> String {
        guard mayFind(token, in: target) else { return target }
        let removal = TokenRemoval(token: token, basePath: basePath)
        let cleaned = Array(target.utf8).withUnsafeBytes(removal.cleaned)
        return cleaned.map { String(decoding: $0, as: UTF8.self) } ?? target
    }

    /// Takes the token out.
    package func clean(_ head: inout RequestHead) {
        if let target = Array(head.target.utf8).withUnsafeBytes(cleaned) {
            head.target = String(decoding: target, as: UTF8.self)
        }
        head.fields.removeNames { find(in: $0, from: 0) != nil }
        head.fields.replaceValues { cleaned($0) }
    }

    /// - Returns: nil where the token is not in it.
    func cleaned(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard var found = find(in: text, from: 0) else { return nil }
        var output: [UInt8] = []
        var start = 0
        while true {
            if let prefix = prefix(before: found.lowerBound, in: text), prefix.lowerBound >= start,
                endsSegment(at: found.upperBound, in: text)
            {
                // The slash that leads the prefix stays where none follows.
                let keepsSlash = text.slash(at: found.upperBound) == nil
                output += text[start..<(keepsSlash ? prefix.upperBound : prefix.lowerBound)]
            } else {
                output += text[start..<found.lowerBound]
                output += Self.mask
            }
            start = found.upperBound
            guard let next = find(in: text, from: start) else { break }
            found = next
        }
        return output + text[start...]
    }

    private func find(in text: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        token.withUnsafeBytes { token in
            for index in start..<max(start, text.count) {
                if let end = text.end(of: token, at: index) { return index..<end }
            }
            return nil
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

    /// Where the text ends that begins there, plain or with escapes.
    fileprivate func end(of text: UnsafeRawBufferPointer, at start: Int) -> Int? {
        guard start < count, self[start] == text.first || self[start] == UInt8(ascii: "%") else { return nil }
        if count - start >= text.count, self[start..<start + text.count].elementsEqual(text) {
            return start + text.count
        }
        var index = start
        for byte in text {
            guard index < count, let next = end(of: byte, at: index) else { return nil }
            index = next
        }
        return index
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
