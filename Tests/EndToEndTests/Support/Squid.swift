import Foundation
import TestSupport

/// Debian's squid as a forward proxy, as companies run it: it keeps what it wants, but caches nothing here.
final class Squid: Sendable {
    let port: Int
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts it and waits until it listens.
    init() throws {
        folder = try TemporaryFolder()
        // As root it becomes the user `proxy`, who has to get in.
        for name in ["cache", "log", "run"] {
            try FileManager.default.createDirectory(
                atPath: folder.path(of: name), withIntermediateDirectories: true)
            try Self.allow(0o777, folder.path(of: name))
        }
        try Self.allow(0o755, folder.path)
        var lastFailure = TestFailure("squid was not started")
        for _ in 0..<5 {
            let port = try freePort()
            let path = try folder.write(
                Self.configuration(folder: folder.path, port: port), to: "squid.conf", mode: 0o644)
            // In the foreground, in one process, its lines on standard error.
            let process = try ChildProcess(["/usr/sbin/squid", "-N", "-d", "1", "-f", path])
            do {
                try process.standardError.waitForLine(containing: "Accepting HTTP Socket connections")
                (self.process, self.port) = (process, port)
                return
            } catch let failure as TestFailure {
                lastFailure = failure
            }
        }
        throw lastFailure
    }

    /// The lines of its access log. A line is there once a request is over.
    func requests() throws -> [String] {
        try folder.text(of: "log/access.log").split(separator: "\n").map(String.init)
    }

    private static func allow(_ mode: Int, _ path: String) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    private static func configuration(folder: String, port: Int) -> String {
        """
        http_port 127.0.0.1:\(port)
        visible_hostname proxy.test
        http_access allow all
        cache deny all
        cache_mem 8 MB
        memory_pools off
        pinger_enable off
        max_filedescriptors 1024
        shutdown_lifetime 0 seconds
        pid_filename \(folder)/run/squid.pid
        access_log stdio:\(folder)/log/access.log
        cache_log \(folder)/log/cache.log
        coredump_dir \(folder)/cache

        """
    }
}
