import Foundation

/// An authority of the tests' own, and the certificates that it gives out, in files that last as long as the value.
package final class CertificateAuthority: Sendable {
    package enum Key: String, Sendable, CaseIterable {
        case ec, rsa

        fileprivate var arguments: [String] {
            switch self {
            case .ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
            case .rsa: ["-newkey", "rsa:2048"]
            }
        }
    }

    /// A certificate and its key.
    package struct Issued: Sendable {
        /// Of the certificate, as PEM.
        package let path: String
        /// Of its key, as PEM.
        package let keyPath: String

        package init(path: String, keyPath: String) {
            self.path = path
            self.keyPath = keyPath
        }
    }

    /// Of its own certificate, as PEM.
    package let path: String
    private let keyPath: String
    private let folder: TemporaryFolder

    package init(name: String = "Test CA") throws {
        folder = try TemporaryFolder()
        path = folder.path(of: "ca.pem")
        keyPath = folder.path(of: "ca.key")
        try Self.openssl(
            ["req", "-x509"] + Key.ec.arguments + [
                "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-keyout", keyPath, "-out", path,
            ])
    }

    /// Gives a certificate out.
    ///
    /// - Parameters:
    ///   - file: what its files are called; those of that name are replaced, whole.
    ///   - name: the common name.
    ///   - alternatives: as openssl writes them: `DNS:` and a name, `IP:` and an address, with commas.
    ///   - days: how long it is good, from now on; -1 for one that has ended.
    ///   - password: of its key, or nil.
    @discardableResult
    package func issue(
        _ file: String, name: String, alternatives: String = "IP:127.0.0.1,DNS:localhost", key: Key = .ec,
        days: Int = 2, password: String? = nil
    ) throws -> Issued {
        let (certificate, keyFile) = (folder.path(of: "\(file).pem"), folder.path(of: "\(file).key"))
        let (newCertificate, newKey) = ("\(certificate).new", "\(keyFile).new")
        let request = folder.path(of: "\(file).csr")
        let extensions = try folder.write("subjectAltName=\(alternatives)\n", to: "\(file).ext")
        let protection = password.map { ["-passout", "pass:\($0)"] } ?? ["-nodes"]
        try Self.openssl(
            ["req", "-new"] + key.arguments + protection
                + ["-subj", "/CN=\(name)", "-keyout", newKey, "-out", request])
        try Self.openssl([
            "x509", "-req", "-in", request, "-CA", path, "-CAkey", keyPath, "-CAcreateserial", "-days",
            "\(days)", "-extfile", extensions, "-out", newCertificate,
        ])
        guard rename(newKey, keyFile) == 0, rename(newCertificate, certificate) == 0 else {
            throw TestFailure("cannot rename \(newCertificate)")
        }
        return Issued(path: certificate, keyPath: keyFile)
    }

    /// The path of a file that it made.
    package func file(_ name: String) -> String { folder.path(of: name) }

    private static func openssl(_ arguments: [String]) throws {
        let program = try ChildProcess(["openssl"] + arguments)
        guard try program.waitForExit() == .code(0) else {
            throw TestFailure("openssl \(arguments): \(program.standardError.text)")
        }
    }
}
