/// A hash that tells whether a password is right, as `wstunnel hash`, `htpasswd -B` or `mkpasswd` make it. Its work is
/// bounded: it is done for whoever asks.
package struct PasswordHash: Hashable, Sendable {
    /// By which function it was made.
    package enum Method: String, CaseIterable, Hashable, Sendable {
        case argon2id
        case bcrypt
        case sha512
    }

    package let method: Method
    /// With its parameters and salt, in the usual form.
    package let text: Secret

    init(_ method: Method, _ text: String) {
        self.method = method
        self.text = Secret(text)
    }
}
