import Foundation
import TestSupport

extension Way {
    /// A second reference: what `ssh -R` makes, with a server of its own and keys that are thrown away.
    ///
    /// - Returns: nil where there is no OpenSSH, or it does not work here.
    static func secureShell(_ bench: Bench) -> Way? {
        let programs = ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"]
        guard programs.allSatisfy(FileManager.default.isExecutableFile) else { return nil }
        do {
            return try openSecureShell(bench)
        } catch {
            bench.note("no ssh beside it: \(error)")
            return nil
        }
    }

    private static func openSecureShell(_ bench: Bench) throws -> Way {
        let folder = bench.folder
        for name in ["ssh-host", "ssh-user"]
        where !FileManager.default.fileExists(atPath: folder.path(of: name)) {
            let maker = try ChildProcess([
                "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder.path(of: name),
            ])
            guard try maker.waitForExit() == .code(0) else { throw TestFailure(maker.standardError.text) }
        }
        let (port, files, sink) = (try freePort(), try freePort(), try freePort())
        let configuration = try folder.write(
            """
            ListenAddress 127.0.0.1
            Port \(port)
            HostKey \(folder.path(of: "ssh-host"))
            AuthorizedKeysFile \(folder.path(of: "ssh-user.pub"))
            PidFile none
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            """, to: "sshd.conf")
        // root's sshd wants this folder, which the system makes with the service; if that fails, sshd says why.
        mkdir("/run/sshd", 0o755)
        let server = try Running(["/usr/sbin/sshd", "-D", "-e", "-f", configuration])
        try server.process.standardError.waitForLine(containing: "Server listening")
        let origins = try bench.origins
        let client = try Running([
            "ssh", "-F", "none", "-N", "-p", "\(port)", "-i", folder.path(of: "ssh-user"),
            "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "ExitOnForwardFailure=yes",
            "-R", "127.0.0.1:\(files):127.0.0.1:\(origins.files)",
            "-R", "127.0.0.1:\(sink):127.0.0.1:\(origins.sink.port)", "\(NSUserName())@127.0.0.1",
        ])
        let way = Way(
            "ssh",
            members: [Member(role: "server", running: server), Member(role: "client", running: client)],
            files: Entrance(port: files), sink: Entrance(port: sink), echo: Entrance(port: files))
        try wstunnel_bench.waitUntilOpen(way.files, within: 5)
        return way
    }
}
