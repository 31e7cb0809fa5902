import Foundation

/// A certificate that signs itself, with its key, in files that last as long as the value.
package final class Certificate: Sendable {
    /// Of the certificate, as PEM.
    package let path: String
    /// Of its key, as PEM.
    package let keyPath: String
    /// The certificate.
    package let pem: [UInt8]
    private let folder: TemporaryFolder

    /// - Parameter names: whom it is for, as openssl writes it: `DNS:` and a name or `IP:` and an address, with commas.
    package init(for names: String = "IP:127.0.0.1,DNS:localhost") throws {
        folder = try TemporaryFolder()
        path = folder.path(of: "cert.pem")
        keyPath = folder.path(of: "key.pem")
        let openssl = try ChildProcess([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "2", "-subj", "/CN=wstunnel test", "-addext", "subjectAltName=\(names)",
            "-keyout", keyPath, "-out", path,
        ])
        guard try openssl.waitForExit() == .code(0) else {
            throw TestFailure("openssl: \(openssl.standardError.text)")
        }
        pem = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}
