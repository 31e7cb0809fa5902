import Foundation
import TestSupport

// The ways that are compared.
extension Way {
    /// Our tunnel: server and client as two processes, access log to a file, all else as it is by default.
    ///
    /// - Parameters:
    ///   - more: keys for the server, such as `max-requests-per-tunnel: 1000`.
    ///   - tunnel: keys for the tunnel, such as `connections: 1`.
    static func ours(
        _ bench: Bench, as name: String = "ours", server more: String = "", tunnel: String = ""
    ) throws -> Way {
        let port = try freePort()
        let origins = try bench.origins
        let server = try bench.agent(
            "\(name)-server",
            """
            log: { file: \(name)-server.log }
            servers: [{ name: public, host: 127.0.0.1, port: \(port)\(more.isEmpty ? "" : ", " + more) }]
            """)
        try waitForListener(on: port)
        let token = "benchmark-token-of-\(name)"
        let client = try bench.agent(
            "\(name)-client",
            """
            log: { file: \(name)-client.log }
            tunnels:
              - { name: web, tunnel: "ws://127.0.0.1:\(port)", token: \(token),
                  server: "http://127.0.0.1:\(origins.files)",
                  regexp: 'http://127\\.0\\.0\\.1:[0-9]+'\(tunnel.isEmpty ? "" : ", " + tunnel) }
            """)
        let fields = [(name: "X-Token", value: token)]
        let way = Way(
            name,
            members: [Member(role: "server", running: server), Member(role: "client", running: client)],
            files: Entrance(port: port, fields: fields),
            sink: Entrance(
                port: port,
                fields: fields + [(name: "X-Host", value: "http://127.0.0.1:\(origins.sink.port)")]))
        try way.waitUntilOpen()
        return way
    }

    /// The yardstick: two nginx, one behind the other, as a careful operator would set them up for streaming. The
    /// README gives the reasons.
    static func nginx(_ bench: Bench, workers: String? = nil) throws -> Way {
        let origins = try bench.origins
        let workers = try workers ?? bench.nginxWorkers
        let (near, far) = (try freePort(), try freePort())
        let client = try Nginx.start(
            "inner", in: bench.folder, workers: workers,
            """
            access_log off;
            \(Self.proxying)
            upstream files { server 127.0.0.1:\(origins.files); \(Self.keeping) }
            upstream sink { server 127.0.0.1:\(origins.sink.port); \(Self.keeping) }
            server {
                listen 127.0.0.1:\(far) backlog=4096;
                location / { proxy_pass http://files; }
                location /sink { proxy_pass http://sink; }
            }
            """)
        let server = try Nginx.start(
            "outer", in: bench.folder, workers: workers,
            """
            access_log \(bench.folder.path)/outer.access.log combined buffer=64k flush=1s;
            \(Self.proxying)
            upstream inner { server 127.0.0.1:\(far); \(Self.keeping) }
            server {
                listen 127.0.0.1:\(near) backlog=4096;
                location / { proxy_pass http://inner; }
            }
            """)
        let way = Way(
            "nginx",
            members: [Member(role: "server", running: server), Member(role: "client", running: client)],
            files: Entrance(port: near), sink: Entrance(port: near))
        try way.waitUntilOpen()
        return way
    }

    private static let keeping = "keepalive 512; keepalive_requests 100000000; keepalive_timeout 300s;"

    private static let proxying = """
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_request_buffering off;
        proxy_buffering on;
        proxy_buffer_size 16k;
        proxy_buffers 16 64k;
        proxy_busy_buffers_size 256k;
        proxy_max_temp_file_size 0;
        client_body_buffer_size 256k;
        tcp_nodelay on;
        """
}
