import TestSupport

/// Debian's HAProxy before a server, with a limit on the server's silence.
final class HAProxy: Sendable {
    let port: Int
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// - Parameters:
    ///   - server: the port of 127.0.0.1 that it hands requests to.
    ///   - silence: how long that may take for an answer, or for more of it; whole seconds.
    init(to server: Int, silence: Duration) throws {
        folder = try TemporaryFolder()
        // It listens by a socket that it is handed, so that whoever connects need not wait for it.
        let listener = try HeldSocket()
        port = listener.port
        let path = try folder.write(
            """
            defaults
                mode http
                timeout connect 5s
                timeout client 60s
                timeout server \(silence.components.seconds)s
            frontend callers
                bind fd@3
                default_backend tunnel
            backend tunnel
                server tunnel 127.0.0.1:\(server)

            """, to: "haproxy.cfg")
        process = try ChildProcess(
            ["/usr/sbin/haproxy", "-db", "-f", path], passing: [listener.descriptor])
    }
}
