import TestSupport

/// Debian's HAProxy before a server: for requests with a limit on the server's silence, or for connections as they are, with
/// the PROXY header in front.
final class HAProxy: Sendable {
    let port: Int
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// - Parameters:
    ///   - server: the port of 127.0.0.1 that it hands requests to.
    ///   - silence: how long that may take for an answer, or for more of it; whole seconds.
    convenience init(to server: Int, silence: Duration) throws {
        try self.init(
            mode: "http", silence: silence.components.seconds, server: "127.0.0.1:\(server)")
    }

    /// - Parameter header: `send-proxy` or `send-proxy-v2`.
    convenience init(to server: Int, sending header: String) throws {
        try self.init(mode: "tcp", silence: 60, server: "127.0.0.1:\(server) \(header)")
    }

    private init(mode: String, silence: Int64, server: String) throws {
        folder = try TemporaryFolder()
        // It listens by a socket that it is handed, so that whoever connects need not wait for it.
        let listener = try HeldSocket()
        port = listener.port
        let path = try folder.write(
            """
            defaults
                mode \(mode)
                timeout connect 5s
                timeout client 60s
                timeout server \(silence)s
            frontend callers
                bind fd@3
                default_backend tunnel
            backend tunnel
                server tunnel \(server)

            """, to: "haproxy.cfg")
        process = try ChildProcess(
            ["/usr/sbin/haproxy", "-db", "-f", path], passing: [listener.descriptor])
    }
}
