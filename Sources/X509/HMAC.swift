/// HMAC with SHA-256 (RFC 2104): who knows the key wrote the message.
package enum HMAC {
    /// Of SHA-256 (FIPS 180-4 §1).
    private static let blockBytes = 64

    /// 32 bytes.
    package static func sha256(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        var block = key.count > blockBytes ? SHA256.hash(key) : key
        block += [UInt8](repeating: 0, count: blockBytes - block.count)
        return SHA256.hash(block.map { $0 ^ 0x5c } + SHA256.hash(block.map { $0 ^ 0x36 } + message))
    }
}
