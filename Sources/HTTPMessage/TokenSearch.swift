/// Finds a token in texts in time that grows with their length alone (Knuth, Morris and Pratt): strangers choose both.
struct TokenSearch {
    /// Tokens of at most so many bytes are compared at each place, which costs nearly nothing where they are not.
    private static let longestCompared = 64

    private let token: [UInt8]
    /// For each part of the token from its start on: how much of its own end is a start of the token too.
    private let overlaps: [Int]

    init(_ token: [UInt8]) {
        self.token = token
        var overlaps = [Int](repeating: 0, count: token.count)
        var length = 0
        for index in token.indices.dropFirst() {
            while length > 0, token[index] != token[length] { length = overlaps[length - 1] }
            if token[index] == token[length] { length += 1 }
            overlaps[index] = length
        }
        self.overlaps = overlaps
    }

    /// Where the token begins, at the earliest at `start`.
    func first(in text: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
        var length = 0
        var index = start
        while index < text.count {
            if length == 0 {
                guard let next = text.firstByte(token[0], from: index) else { return nil }
                index = next
            }
            while length > 0, text[index] != token[length] { length = overlaps[length - 1] }
            if text[index] == token[length] { length += 1 }
            index += 1
            if length == token.count { return index - length }
        }
        return nil
    }

    /// Whether the token is in a text, without a search prepared for it.
    static func holds(_ text: UnsafeRawBufferPointer, _ token: UnsafeRawBufferPointer) -> Bool {
        token.count <= longestCompared
            ? text.contains(token) : TokenSearch(Array(token)).first(in: text) != nil
    }
}

/// A text with its per cent escapes resolved, and where in it each byte comes from.
struct ResolvedText {
    private(set) var bytes: [UInt8] = []
    /// Where each byte begins in the text, and where the last one ends.
    private(set) var places: [Int] = []

    /// - Parameter depth: `%41` is one deep, `%2541` two; 0 resolves nothing.
    init(_ text: UnsafeRawBufferPointer, depth: Int) {
        bytes.reserveCapacity(text.count)
        places.reserveCapacity(text.count + 1)
        var index = 0
        while index < text.count {
            places.append(index)
            var byte = text[index]
            index += 1
            var left = depth
            while left > 0, byte == UInt8(ascii: "%"), index + 1 < text.count,
                let high = text[index].hexadecimalValue, let low = text[index + 1].hexadecimalValue
            {
                byte = high << 4 | low
                index += 2
                left -= 1
            }
            bytes.append(byte)
        }
        places.append(index)
    }
}
