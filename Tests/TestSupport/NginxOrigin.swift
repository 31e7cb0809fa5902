import Foundation

/// Debian's nginx as an origin, on a port and in a folder of its own.
///
/// | path | what it answers |
/// |---|---|
/// | `/<file>` | a file of `folder`, with `ETag` (so 304 to `If-None-Match`) and ranges |
/// | `/large.bin` | as many MiB of pseudo-random bytes as asked for |
/// | `/chunked/<file>` | the same file, chunked |
/// | `/slow/<file>` | the same file, 256 KiB a second |
/// | `/upload/<file>` | `PUT` keeps the body (201, 204 when it was there), `GET` and `DELETE` as usual |
/// | `/no-content` | 204 |
/// | `/repeated` | `Set-Cookie` and `X-Repeated` twice each |
/// | `/redirect` | 302 to `/moved` on this origin |
/// | `/echo` | the request's body, where nginx has its echo module (`hasEcho`), else 404 |
///
/// Event streams, trailers, 1xx, upgrades and misbehaviour are `ScriptedOrigin`'s.
package final class NginxOrigin: Sendable {
    package let port: Int
    /// What it serves: write files here.
    package let root: String
    /// True when `/echo` works.
    package let hasEcho: Bool
    package var url: String { "http://127.0.0.1:\(port)" }

    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// Starts nginx and waits until it listens.
    ///
    /// - Parameter largeMebibytes: the size of `/large.bin`; 0 for none.
    package init(largeMebibytes: Int = 0) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        root = folder.path(of: "www")
        try folder.write("Hello from nginx\n", to: "www/index.html", mode: 0o644)
        for name in ["www/upload", "tmp"] {
            try FileManager.default.createDirectory(
                atPath: folder.path(of: name), withIntermediateDirectories: true)
        }
        if largeMebibytes > 0 { try folder.writeRandom(mebibytes: largeMebibytes, to: "www/large.bin") }
        let echoModule = "/usr/lib/nginx/modules/ngx_http_echo_module.so"
        hasEcho = FileManager.default.fileExists(atPath: echoModule)
        (process, port) = try Self.start(in: folder, echoModule: hasEcho ? echoModule : nil)
    }

    /// Stops it at once, as a crash would.
    package func kill() { process.kill() }

    /// The lines of its access log: `METHOD target status host`. A line is there once a request is over.
    package func requests() throws -> [String] {
        try folder.text(of: "access.log").split(separator: "\n").map(String.init)
    }

    private static func start(
        in folder: TemporaryFolder, echoModule: String?
    ) throws -> (ChildProcess, Int) {
        let programs = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
        guard let program = programs.first(where: FileManager.default.isExecutableFile) else {
            throw TestFailure("no nginx here; Tests/run.sh installs it")
        }
        var lastFailure = TestFailure("nginx was not started")
        for _ in 0..<5 {
            let port = try freePort()
            let text = configuration(folder: folder.path, port: port, echoModule: echoModule)
            let path = try folder.write(text, to: "nginx.conf")
            let process = try ChildProcess([program, "-c", path, "-p", folder.path, "-e", "stderr"])
            do {
                try process.standardError.waitForLine(containing: "event method")
                return (process, port)
            } catch let failure as TestFailure {
                lastFailure = failure
                guard process.standardError.text.contains("bind()") else { break }
            }
        }
        throw lastFailure
    }

    private static func configuration(folder: String, port: Int, echoModule: String?) -> String {
        let temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder)/tmp/\($0);" }
        let echo = echoModule == nil ? "return 404;" : "echo_read_request_body; echo_request_body;"
        return """
            \(echoModule.map { "load_module \($0);" } ?? "")
            daemon off;
            master_process off;
            pid \(folder)/nginx.pid;
            error_log stderr notice;
            events { worker_connections 1024; }
            http {
                \(temporaryPaths.joined(separator: "\n    "))
                types { text/html html; text/plain txt; }
                default_type application/octet-stream;
                log_format short '$request_method $request_uri $status $http_host';
                access_log \(folder)/access.log short;
                client_max_body_size 0;
                keepalive_requests 100000;
                server {
                    listen 127.0.0.1:\(port);
                    root \(folder)/www;
                    location /chunked/ {
                        alias \(folder)/www/;
                        sub_filter_types *;
                        sub_filter 'a text that no file holds' '';
                    }
                    location /slow/ { alias \(folder)/www/; limit_rate 256k; }
                    location /upload/ { dav_methods PUT DELETE; create_full_put_path on; }
                    location = /no-content { return 204; }
                    location = /repeated {
                        add_header Set-Cookie a=1;
                        add_header Set-Cookie b=2;
                        add_header X-Repeated one;
                        add_header X-Repeated two;
                        return 200 "repeated\\n";
                    }
                    location = /redirect { return 302 /moved; }
                    location = /echo { \(echo) }
                }
            }
            """
    }
}
