import ArgumentParser
import Glibc
import HostSystem
import PasswordHashing
import TunnelConfiguration

extension PasswordHash.Method: ExpressibleByArgument {}

/// `wstunnel hash alice`
struct Hash: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes a hash of a password, for users of callers.",
        discussion: """
            Asks for the password on a terminal; else the first line of standard input is it. With a name it prints \
            name:hash, as "users" and "users-file" take it.
            """)

    /// Longest password, in bytes: servers look at no longer one.
    private static let longest = 256

    @Argument(help: "The user's name; without it the hash alone is printed.")
    var user: String?

    @Option(help: "argon2id, bcrypt or sha512.")
    var method = PasswordHash.Method.argon2id

    func validate() throws {
        guard user?.contains(":") != true else {
            throw ValidationError("a user's name holds no colon")
        }
    }

    func run() throws {
        let password = try password()
        guard !password.isEmpty, password.utf8.count <= Self.longest, !password.utf8.contains(0) else {
            throw ValidationError("a password has 1 to \(Self.longest) bytes")
        }
        guard method != .bcrypt || password.utf8.count <= PasswordHashing.longestForBcrypt else {
            throw ValidationError(
                "bcrypt looks at no more than \(PasswordHashing.longestForBcrypt) bytes of a password — use argon2id"
            )
        }
        let hash = try PasswordHashing.hash(password, by: method)
        print(user.map { "\($0):\(hash)" } ?? hash)
    }

    private func password() throws -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = readLine(strippingNewline: true) else {
                throw ValidationError("standard input holds no password")
            }
            return line
        }
        let password = try PasswordPrompt.ask("Password: ")
        guard try PasswordPrompt.ask("Once more: ") == password else {
            throw ValidationError("the two passwords differ")
        }
        return password
    }
}
