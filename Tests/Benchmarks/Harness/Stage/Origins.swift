import Foundation
import TestSupport

/// Where requests end: an nginx that serves files, a sink for uploads, an echo for WebSockets. The same for all ways.
final class Origins {
    let files: Int
    let sink: UploadSink
    let echo: EchoOrigin
    private let nginx: Running
    /// Of the files, and of the sink.
    var url: String { "http://127.0.0.1:\(files)" }
    var sinkURL: String { "http://127.0.0.1:\(sink.port)" }

    /// A large body: a file to download, and how much to upload.
    struct Body: Sendable {
        let path: String
        /// In bytes.
        let size: Int
    }
    let large: Body
    /// Protocol v1 refuses uploads of more than 100 MiB.
    let middle = Body(path: "/middle", size: 64 << 20)
    /// For those who take it slowly: more than is kept of a message of protocol v1 in memory, and sixteen are no load.
    let slow = Body(path: "/slow", size: 8 << 20)
    /// The files again, each on a connection of its own.
    let closing: Int
    /// The folder of the files.
    let root: String

    /// - Parameter largeMebibytes: the size of `large`.
    init(in folder: TemporaryFolder, largeMebibytes: Int) throws {
        large = Body(path: "/large", size: largeMebibytes << 20)
        for (name, size) in [("1k", 1024), ("16k", 16_384), ("100k", 102_400)] {
            var random = SplitMix64(seed: UInt64(size))
            try folder.write(random.bytes(size), to: "www/\(name)", mode: 0o644)
        }
        try folder.writeRandom(mebibytes: largeMebibytes, to: "www/large")
        try folder.writeRandom(mebibytes: middle.size >> 20, to: "www/middle")
        try folder.writeRandom(mebibytes: slow.size >> 20, to: "www/slow")
        root = folder.path(of: "www")
        // nginx drops root's rights; its workers must still get at the files.
        chmod(folder.path, 0o755)
        chmod(folder.path(of: "www"), 0o755)
        let (port, closing) = (try freePort(), try freePort())
        // By default each connection that is read slowly fills 4 MiB in the kernel: 512 of them take all the memory
        // it has for TCP, which then makes every connection of the machine crawl.
        nginx = try Nginx.start(
            "origin", in: folder, workers: "auto",
            """
            access_log off;
            sendfile on;
            server {
                listen 127.0.0.1:\(port) backlog=4096 sndbuf=256k;
                root \(root);
            }
            server {
                listen 127.0.0.1:\(closing) backlog=4096;
                keepalive_timeout 0;
                root \(root);
            }
            """)
        files = port
        self.closing = closing
        sink = try UploadSink()
        echo = try EchoOrigin()
    }
}

/// nginx with a configuration of ours.
enum Nginx {
    /// Starts nginx and waits until its workers are there.
    ///
    /// - Parameters:
    ///   - workers: a number or `auto`.
    ///   - block: what stands in `http { … }`.
    static func start(
        _ name: String, in folder: TemporaryFolder, workers: String, _ block: String
    ) throws -> Running {
        let temporaryPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder.path)/\(name).\($0);" }
        let path = try folder.write(
            """
            daemon off;
            worker_processes \(workers);
            worker_rlimit_nofile 19000;
            pid \(folder.path)/\(name).pid;
            error_log stderr notice;
            events { worker_connections 9000; }
            http {
                \(temporaryPaths.joined(separator: " "))
                default_type application/octet-stream;
                keepalive_requests 100000000;
                keepalive_timeout 300s;
                client_max_body_size 0;
                \(block)
            }
            """, to: "\(name).conf")
        let programs = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
        guard let program = programs.first(where: FileManager.default.isExecutableFile) else {
            throw TestFailure("no nginx here; Tests/Benchmarks/run.sh installs it")
        }
        let running = try Running([program, "-c", path, "-p", folder.path, "-e", "stderr"])
        let wanted = workers == "auto" ? ProcessInfo.processInfo.activeProcessorCount : Int(workers) ?? 1
        var seen = 0
        try running.process.standardError.waitForLine(what: "\(wanted) workers of nginx (\(name))") { line in
            if line.contains("start worker process ") { seen += 1 }
            return seen == wanted
        }
        return running
    }
}
