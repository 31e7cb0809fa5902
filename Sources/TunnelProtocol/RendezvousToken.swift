/// The secret that names a tunnel: whoever knows it can send requests through it.
///
/// A token is parsed once, where it enters the program, so that the rules below hold wherever one is
/// passed on. It prints as its first 8 characters and `...`; the whole text is reached only by `secret`.
package struct RendezvousToken: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    /// Shortest token that a tunnel server takes, in characters (the Go program's rule).
    package static let minimumLength = 16
    /// Longest token that a tunnel server takes, in bytes; bounds what a hostile peer can make us keep.
    package static let maximumLength = 1024

    /// The token itself. Never log it.
    package let secret: String
    /// Of the token, so that it is hashed once and not in each table that is asked for it.
    private let digest: Int

    /// - Throws: `RendezvousTokenError` when the text is too short, too long, or holds anything but visible
    ///   ASCII: it is sent as the HTTP field `Origin`, and must be the same bytes on every way in.
    package init(_ text: String) throws(RendezvousTokenError) {
        var bytes = text
        // The bounds of all bytes, which take the processor a sixteenth of what a look at each would.
        let isVisible = bytes.withUTF8 { text in
            var (lowest, highest) = (UInt8(0x21), UInt8(0x7e))
            for byte in text {
                lowest = min(lowest, byte)
                highest = max(highest, byte)
            }
            return lowest == 0x21 && highest == 0x7e
        }
        guard isVisible else { throw .forbiddenCharacter }
        guard text.utf8.count >= Self.minimumLength else { throw .tooShort }
        guard text.utf8.count <= Self.maximumLength else { throw .tooLong }
        self.secret = text
        var hasher = Hasher()
        hasher.combine(text)
        digest = hasher.finalize()
    }

    package static func == (one: Self, other: Self) -> Bool {
        one.digest == other.digest && one.secret == other.secret
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(digest) }

    /// The first 8 characters and `...`: enough to tell tunnels apart, too little to use one.
    package var hint: String {
        // Eleven bytes of ASCII, written in place: each request has one, and a text made of two costs three times as much.
        String(unsafeUninitializedCapacity: Self.hintLength) { memory in
            _ = memory.initialize(fromContentsOf: secret.utf8.prefix(Self.hintLength - 3))
            for place in Self.hintLength - 3..<Self.hintLength { memory[place] = UInt8(ascii: ".") }
            return Self.hintLength
        }
    }

    /// Of at least sixteen bytes of a token there are eight, and three dots.
    private static let hintLength = 11

    /// The same shortening for text that may not be a valid token. Unicode scalars are counted: one character may
    /// be of any number of them, and be the whole of a hostile text.
    package static func hint(of text: String) -> String { "\(String(text.unicodeScalars.prefix(8)))..." }

    package var description: String { hint }
    package var customMirror: Mirror { Mirror(self, children: ["hint": hint]) }
}

/// Why a text is no rendezvous token.
package enum RendezvousTokenError: Error, Hashable {
    case tooShort
    case tooLong
    case forbiddenCharacter
}
