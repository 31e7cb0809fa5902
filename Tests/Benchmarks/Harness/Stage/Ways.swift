import Foundation
import TestSupport

// The ways that are compared.
extension Way {
    /// Our tunnel: server and client as two processes, access log to a file, all else as it is by default.
    ///
    /// - Parameters:
    ///   - more: keys for the server, such as `max-requests-per-tunnel: 1000`.
    ///   - tunnel: keys for the tunnel, such as `connections: 1`.
    ///   - agent: more keys of the server's process, a line each.
    static func ours(
        _ bench: Bench, as name: String = "ours", server more: String = "", tunnel: String = "",
        agent: String = ""
    ) throws -> Way {
        let origins = try bench.origins
        let server = try TunnelServer(bench, as: name, options: more, agent: agent)
        let token = "benchmark-token-of-\(name)"
        let client = try bench.agent(
            at: try bench.clientConfiguration(
                "\(name)-client", to: server.port, tokens: [token], options: tunnel))
        let fields = [(name: "X-Token", value: token)]
        func entrance(to port: Int) -> Entrance {
            Entrance(
                port: server.port,
                fields: fields + [(name: "X-Host", value: "http://127.0.0.1:\(port)")])
        }
        let way = Way(
            name,
            members: [
                Member(role: "server", running: server.running), Member(role: "client", running: client),
            ],
            files: Entrance(port: server.port, fields: fields), sink: entrance(to: origins.sink.port),
            echo: entrance(to: origins.echo.port))
        try way.waitUntilOpen()
        return way
    }

    /// The yardstick: two nginx, one behind the other, as a careful operator would set them up for streaming. The
    /// README gives the reasons.
    static func nginx(_ bench: Bench, for purpose: NginxPurpose) throws -> Way {
        try nginx(bench, bench.nginxSetup(for: purpose))
    }

    /// Two nginx with the settings that may differ.
    static func nginx(_ bench: Bench, _ setup: NginxSetup) throws -> Way {
        let origins = try bench.origins
        let workers = setup.workers
        let (near, far) = (try freePort(), try freePort())
        let client = try Nginx.start(
            "inner-\(far)", in: bench.folder, workers: workers,
            """
            access_log off;
            \(setup.buffering.directives)
            \(Self.proxying)
            upstream files { server 127.0.0.1:\(origins.files); \(Self.keeping) }
            upstream sink { server 127.0.0.1:\(origins.sink.port); \(Self.keeping) }
            upstream echo { server 127.0.0.1:\(origins.echo.port); \(Self.keeping) }
            server {
                listen 127.0.0.1:\(far) backlog=4096;
                location / { proxy_pass http://files; }
                location /sink { proxy_pass http://sink; }
                location /echo { \(Self.upgrading) proxy_pass http://echo; }
            }
            """)
        let server = try Nginx.start(
            "outer-\(near)", in: bench.folder, workers: workers,
            """
            access_log \(bench.folder.path)/outer-\(near).access.log combined buffer=64k flush=1s;
            \(setup.buffering.directives)
            \(Self.proxying)
            upstream inner { server 127.0.0.1:\(far); \(Self.keeping) }
            server {
                listen 127.0.0.1:\(near) backlog=4096;
                location / { proxy_pass http://inner; }
                location /echo { \(Self.upgrading) proxy_pass http://inner; }
            }
            """)
        let way = Way(
            "nginx",
            members: [Member(role: "server", running: server), Member(role: "client", running: client)],
            files: Entrance(port: near), sink: Entrance(port: near), echo: Entrance(port: near))
        try way.waitUntilOpen()
        return way
    }

    private static let upgrading =
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"

    private static let keeping = "keepalive 512; keepalive_requests 100000000; keepalive_timeout 300s;"

    private static let proxying = """
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_request_buffering off;
        proxy_max_temp_file_size 0;
        client_body_buffer_size 256k;
        tcp_nodelay on;
        """
}
