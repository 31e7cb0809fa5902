/// Why bytes are no certificate that we read.
package struct X509Error: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// Longer than `X509Certificate.largest`.
        case tooLarge
        /// No DER, or not the structure of RFC 5280.
        case malformed
    }

    package let code: Code
    /// What is wrong, and at which byte; nothing of what the bytes hold.
    package let message: String

    package var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// - Parameter offset: bytes of the certificate before the place.
    static func malformed(_ part: StaticString, at offset: Int, _ problem: StaticString) -> X509Error {
        X509Error(.malformed, "no certificate in DER: \(part), at byte \(offset), \(problem)")
    }
}
