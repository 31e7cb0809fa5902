/// Certificates or keys that cannot be used.
package struct TLSSetupError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The machine has no certificates of authorities, and no file was named.
    package static let noSystemRoots = TLSSetupError(
        description: "cannot use the system's certificates of authorities (there are none): install "
            + "ca-certificates, or name a certfile")

    /// What is wrong, and what to do.
    package let description: String

    init(description: String) { self.description = description }

    /// - Parameters:
    ///   - path: of a PEM file; nil when the system's roots are meant.
    ///   - cause: what the TLS library says.
    init(certificates path: String?, cause: any Error) {
        description =
            path.map { "cannot read certificates from \($0) as PEM: \(cause)" }
            ?? "cannot use the system's certificates of authorities (\(cause)): install ca-certificates, or name a certfile"
    }
}
