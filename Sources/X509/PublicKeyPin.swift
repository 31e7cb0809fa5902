/// What a public key is pinned by: SHA-256 of its SubjectPublicKeyInfo, in base64 (RFC 7469 §2.4).
package enum PublicKeyPin {
    /// Whether a text can be one.
    package static func isPin(_ text: String) -> Bool {
        var decoder = Base64Decoder()
        return text.utf8.allSatisfy { decoder.take($0) } && decoder.end()?.count == 32
    }
}
