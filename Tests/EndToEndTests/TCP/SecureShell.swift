import Foundation
import TestSupport

/// Debian's sshd on a port of its own, with keys of its own, and what its callers need.
final class SecureShell: Sendable {
    let port: Int
    let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts it and waits until it listens.
    init() throws {
        folder = try TemporaryFolder()
        for key in ["host", "user"] {
            let made = try ChildProcess([
                "/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder.path(of: key),
            ])
            guard try made.waitForExit() == .code(0) else { throw TestFailure(made.standardError.text) }
        }
        let user = try folder.text(of: "user.pub")
        try folder.write(user, to: "authorized_keys")
        // Where its parent of unprivileged children lives, on Debian.
        try FileManager.default.createDirectory(atPath: "/run/sshd", withIntermediateDirectories: true)
        port = try freePort()
        let lines = [
            "Port \(port)", "ListenAddress 127.0.0.1", "HostKey \(folder.path(of: "host"))",
            "AuthorizedKeysFile \(folder.path(of: "authorized_keys"))", "PidFile none", "StrictModes no",
            "UsePAM no", "PasswordAuthentication no", "Subsystem sftp internal-sftp",
        ]
        let file = try folder.write(lines.joined(separator: "\n") + "\n", to: "sshd_config")
        process = try ChildProcess(["/usr/sbin/sshd", "-D", "-e", "-f", file])
        try process.standardError.waitForLine(containing: "Server listening")
    }

    /// Options for `ssh` and `scp`, as words of a shell.
    var options: String {
        [
            "-F none", "-i \(folder.path(of: "user"))", "-o BatchMode=yes", "-o StrictHostKeyChecking=no",
            "-o UserKnownHostsFile=/dev/null", "-o LogLevel=ERROR",
        ].joined(separator: " ")
    }
}
