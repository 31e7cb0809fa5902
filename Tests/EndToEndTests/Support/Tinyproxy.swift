import TestSupport

/// Debian's tinyproxy, as those who must go through a proxy run it.
final class Tinyproxy: Sendable {
    let port: Int
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts it and waits until it listens.
    ///
    /// - Parameters:
    ///   - port: a port to listen on again; nil for any.
    ///   - credentials: user and password that it asks for; nil for none.
    ///   - allowedPort: the only port it connects to; nil for any.
    init(port: Int? = nil, credentials: (user: String, password: String)? = nil, allowedPort: Int? = nil)
        throws
    {
        folder = try TemporaryFolder()
        var lastFailure = TestFailure("tinyproxy was not started")
        for _ in 0..<5 {
            let port = try port ?? freePort()
            var lines = [
                "Port \(port)", "Listen 127.0.0.1", "Timeout 600", "MaxClients 100", "LogLevel Info",
                "Allow 127.0.0.1",
            ]
            if let credentials { lines.append("BasicAuth \(credentials.user) \(credentials.password)") }
            if let allowedPort { lines.append("ConnectPort \(allowedPort)") }
            let path = try folder.write(lines.joined(separator: "\n") + "\n", to: "tinyproxy.conf")
            let process = try ChildProcess(["/usr/bin/tinyproxy", "-d", "-c", path])
            do {
                try process.standardOutput.waitForLine(containing: "Accepting connections")
                (self.process, self.port) = (process, port)
                return
            } catch let failure as TestFailure {
                lastFailure = failure
            }
        }
        throw lastFailure
    }

    /// Ends it with all its connections, as a crash would.
    func kill() { process.kill() }

    /// Waits until it was asked for a connection to a port of 127.0.0.1.
    func waitForRequest(port: Int) throws {
        try process.standardOutput.waitForLine(containing: "CONNECT 127.0.0.1:\(port) ")
    }
}
