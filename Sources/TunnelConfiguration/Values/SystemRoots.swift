/// The certificates of authorities that a machine trusts, where the TLS library looks for them.
package enum SystemRoots {
    /// Of Debian, Arch and Alpine; of Fedora.
    private static let bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
    /// Looked into beside the bundle, or where there is none.
    private static let folder = "/etc/ssl/certs"

    package static func areThere(on machine: any ConfigurationSource) -> Bool {
        if bundles.contains(where: { machine.kind(ofPath: $0) == .file }) { return true }
        let names = try? machine.listFolder(at: folder)
        return names?.isEmpty == false
    }
}
