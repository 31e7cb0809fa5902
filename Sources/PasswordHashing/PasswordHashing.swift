import CArgon2
import CCrypt
import Glibc
package import TunnelConfiguration

/// Why no hash was made.
package enum PasswordHashingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The library would not, for a reason of its own: in nearly all cases memory is short.
    case failed(String)

    package var description: String {
        switch self {
        case .failed(let reason): "the password could not be hashed: \(reason)"
        }
    }
}

/// Hashes of passwords, by libargon2 and libcrypt. Each call takes a tenth of a second of a processor or more, and of argon2id
/// as much memory as the hash says: never on an event loop.
package enum PasswordHashing {
    /// Of argon2id: 19 MiB, twice, in one lane (OWASP's least; about 20 ms).
    private static let argon2: (passes: UInt32, memory: UInt32, lanes: UInt32) = (2, 19_456, 1)
    /// Bytes.
    private static let (saltLength, digestLength) = (16, 32)
    private static let bcryptCost: UInt = 10
    private static let sha512Rounds: UInt = 100_000
    /// bcrypt looks at no more of a password than this, in bytes.
    package static let longestForBcrypt = 72

    /// Whether a password is right. Takes the same time for a wrong one.
    package static func verify(_ password: Secret, _ hash: PasswordHash) -> Bool {
        switch hash.method {
        case .argon2id:
            let password = Array(password.secret.utf8)
            return argon2id_verify(hash.text.secret, password, password.count) == ARGON2_OK.rawValue
        case .bcrypt, .sha512:
            guard let digest = crypt(password.secret, setting: hash.text.secret) else { return false }
            return areEqual(Array(digest.utf8), Array(hash.text.secret.utf8))
        }
    }

    /// Makes a hash with a salt of its own, and with as much work as is usual today.
    package static func hash(
        _ password: String, by method: PasswordHash.Method
    ) throws(PasswordHashingError) -> String {
        switch method {
        case .argon2id: try argon2id(password)
        case .bcrypt: try crypt(password, prefix: "$2b$", count: bcryptCost)
        case .sha512: try crypt(password, prefix: "$6$", count: sha512Rounds)
        }
    }

    private static func argon2id(_ password: String) throws(PasswordHashingError) -> String {
        let password = Array(password.utf8)
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<saltLength).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let length = argon2_encodedlen(
            argon2.passes, argon2.memory, argon2.lanes, UInt32(saltLength), UInt32(digestLength), Argon2_id)
        var text = [CChar](repeating: 0, count: length)
        let result = argon2id_hash_encoded(
            argon2.passes, argon2.memory, argon2.lanes, password, password.count, salt, salt.count,
            digestLength, &text, length)
        guard result == ARGON2_OK.rawValue else {
            throw .failed(argon2_error_message(result).map { String(cString: $0) } ?? "error \(result)")
        }
        return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    private static func crypt(
        _ password: String, prefix: String, count: UInt
    ) throws(PasswordHashingError) -> String {
        // With no random bytes of ours the library asks the system for them.
        guard let setting = crypt_gensalt_ra(prefix, count, nil, 0) else { throw .failed(reason(errno)) }
        defer { free(setting) }
        guard let hash = crypt(password, setting: String(cString: setting)) else {
            throw .failed(reason(errno))
        }
        return hash
    }

    /// - Returns: nil where the setting is none, or memory is short.
    private static func crypt(_ password: String, setting: String) -> String? {
        var memory: UnsafeMutableRawPointer?
        var size: CInt = 0
        defer { free(memory) }
        // Nil where it fails, unlike `crypt`.
        guard let text = crypt_ra(password, setting, &memory, &size) else { return nil }
        return String(cString: text)
    }

    private static func reason(_ number: CInt) -> String {
        strerror(number).map { String(cString: $0) } ?? "error \(number)"
    }

    /// Without an early end.
    private static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
