import TestSupport

/// nginx with a `server` block of the test's own: a TLS origin, a terminator of TLS, a reverse proxy.
final class NginxFront: Sendable {
    let port: Int
    private let folder: TemporaryFolder
    private let process: ChildProcess
    /// What it has written to its standard error.
    var log: String { process.standardError.text }

    /// Starts nginx and waits until it listens.
    ///
    /// - Parameter block: the lines within `server { … }` but for `listen`.
    convenience init(certificate: Certificate? = nil, _ block: String) throws {
        let tls = certificate.map { "ssl_certificate \($0.path); ssl_certificate_key \($0.keyPath);" }
        try self.init { port in
            """
            server {
                listen 127.0.0.1:\(port)\(tls == nil ? "" : " ssl");
                \(tls ?? "")
                \(block)
            }
            """
        }
    }

    /// Starts nginx and waits until it listens.
    ///
    /// - Parameter servers: what stands in `http { … }`, for a port to listen on.
    init(servers: (_ port: Int) -> String) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        var lastFailure = TestFailure("nginx was not started")
        for _ in 0..<5 {
            let port = try freePort()
            let path = try folder.write(
                Self.configuration(folder: folder.path, servers(port)), to: "nginx.conf")
            let process = try ChildProcess(
                ["/usr/sbin/nginx", "-c", path, "-p", folder.path, "-e", "stderr"])
            do {
                try process.standardError.waitForLine(containing: "event method")
                (self.process, self.port) = (process, port)
                return
            } catch let failure as TestFailure {
                lastFailure = failure
                guard process.standardError.text.contains("bind()") else { break }
            }
        }
        throw lastFailure
    }

    /// nginx that ends TLS before a tunnel server.
    static func terminator(certificate: Certificate, to port: Int) throws -> NginxFront {
        try NginxFront(
            certificate: certificate,
            """
            location / {
                proxy_pass http://127.0.0.1:\(port);
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection upgrade;
            }
            """)
    }

    private static func configuration(folder: String, _ servers: String) -> String {
        let temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder)/\($0);" }
        return """
            daemon off;
            master_process off;
            pid \(folder)/nginx.pid;
            error_log stderr notice;
            events { worker_connections 512; }
            http {
                \(temporaryPaths.joined(separator: " "))
                access_log off;
                client_max_body_size 0;
                \(servers)
            }
            """
    }
}
