/// A PEM file of certificates, as it was when the configuration was read: one whose content changed is another.
package struct CertificateFile: Hashable, Sendable {
    /// Where it was read, absolute; for messages.
    package var path: String
    /// What it held.
    package var pem: [UInt8]

    package init(path: String, pem: [UInt8]) {
        self.path = path
        self.pem = pem
    }
}
