/// Why bytes are no HTTP/1 message we accept.
package struct HTTPMessageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What a server answers to a caller who sent it.
    package enum Code: Hashable, Sendable {
        /// Malformed or ambiguous: 400.
        case malformed
        /// Request line longer than the limit: 414.
        case targetTooLong
        /// Too many or too large header fields: 431.
        case headTooLarge
        /// A transfer coding other than `chunked`: 501.
        case unsupportedCoding
        /// A major version other than 1: 505.
        case unsupportedVersion
        /// The connection ended in the middle of a message.
        case truncated
    }

    package let code: Code
    /// What is wrong, in constant words: nothing the peer sent is repeated.
    package let message: StaticString

    package init(_ code: Code, _ message: StaticString) {
        self.code = code
        self.message = message
    }

    /// The status a server answers with.
    package var status: Int {
        switch code {
        case .malformed, .truncated: 400
        case .targetTooLong: 414
        case .headTooLarge: 431
        case .unsupportedCoding: 501
        case .unsupportedVersion: 505
        }
    }

    package var description: String { "\(message)" }

    package static func == (left: Self, right: Self) -> Bool {
        left.code == right.code && left.description == right.description
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(code) }
}

/// What one message head may hold at most; a peer that sends more is refused.
package struct HTTPLimits: Sendable, Hashable {
    /// Bytes of the whole head, the start line and the empty line included.
    package var headBytes: Int
    /// Number of fields.
    package var fieldCount: Int
    /// Bytes of the request or status line.
    package var startLineBytes: Int

    package init(headBytes: Int = 64 << 10, fieldCount: Int = 128, startLineBytes: Int = 16 << 10) {
        self.headBytes = headBytes
        self.fieldCount = fieldCount
        self.startLineBytes = startLineBytes
    }
}
