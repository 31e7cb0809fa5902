import BenchmarkReport
import Foundation
import TestSupport

/// The same with TLS: callers by https, and in our tunnel by wss. Against nginx with TLS in front of nginx, whose hop between
/// the two is plain.
enum Secure: Scenario {
    static let name = "tls"
    static let summary = "callers over TLS, by HTTP/1 and HTTP/2; new handshakes; memory of idle wss tunnels"
    static let sides = ["ours", "nginx"]

    private static let idleTunnels = 1000

    static func run(_ bench: Bench) throws {
        let certificate = try Certificate()
        let ways = [try ours(bench, certificate), try nginx(bench, certificate)]
        for way in ways { _ = try? Wrk(way.files, connections: 256, seconds: 1).run() }
        for connections in [32, 256] {
            measure(ways, bench, "\(connections) connections") { way in
                let result = try Wrk(
                    way.files, connections: connections, seconds: bench.settings.seconds
                ).run()
                return (result.requests, result.requestsPerSecond, result.percentile99)
            }
        }
        var closing = ways.map(\.files)
        for index in closing.indices { closing[index].fields.append((name: "Connection", value: "close")) }
        measure(ways, bench, "a handshake each") { way in
            let entrance = way.name == "ours" ? closing[0] : closing[1]
            let result = try Wrk(entrance, connections: 32, seconds: bench.settings.seconds).run()
            return (result.requests, result.requestsPerSecond, result.percentile99)
        }
        bench.interleave(ways) { way in
            let size = try bench.origins.large.size
            let seconds = try download(bench.origins.large.path, way.files)
            bench.record(Double(size) / seconds / 1e6, "download, one body", "MB/s", side: way.name)
        }
        bench.recordPeakMemory(of: ways)
        for _ in 0..<min(bench.settings.runs, 3) { try measureIdle(bench, certificate) }
    }

    private static func measure(
        _ ways: [Way], _ bench: Bench, _ what: String,
        _ load: (Way) throws -> (requests: Int, perSecond: Double, percentile99: Double)
    ) {
        bench.interleave(ways) { way in
            let before = try way.processorSeconds()
            let result = try load(way)
            let after = try way.processorSeconds()
            bench.record(result.perSecond, "requests/s, \(what)", "1/s", side: way.name)
            bench.record(result.percentile99, "p99, \(what)", "ms", side: way.name)
            bench.recordProcessorTime(
                from: before, to: after, over: Double(result.requests), "CPU per request, \(what)", "µs",
                side: way.name)
        }
    }

    private static func ours(_ bench: Bench, _ certificate: Certificate) throws -> Way {
        let server = try TunnelServer(
            bench, as: "tls",
            options: "tls: { certfile: \(certificate.path), keyfile: \(certificate.keyPath) }")
        let token = "benchmark-token-of-tls"
        let client = try bench.agent(
            at: bench.clientConfiguration(
                "tls-client", to: server.port, tokens: [token], options: "certfile: \(certificate.path)",
                scheme: "wss"))
        let entrance = Way.Entrance(
            port: server.port, fields: [(name: "X-Token", value: token)], isSecure: true)
        let way = Way(
            "ours",
            members: [
                Way.Member(role: "server", running: server.running),
                Way.Member(role: "client", running: client),
            ], files: entrance, sink: entrance, echo: entrance)
        try way.waitUntilOpen()
        return way
    }

    private static func nginx(_ bench: Bench, _ certificate: Certificate) throws -> Way {
        let setup = try bench.nginxSetup(for: .requests)
        let (near, far) = (try freePort(), try freePort())
        let proxying = """
            proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off;
            proxy_max_temp_file_size 0; tcp_nodelay on; \(setup.buffering.directives)
            """
        let keeping = "keepalive 512; keepalive_requests 100000000; keepalive_timeout 300s;"
        let client = try Nginx.start(
            "inner-\(far)", in: bench.folder, workers: setup.workers,
            """
            access_log off; \(proxying)
            upstream files { server 127.0.0.1:\(bench.origins.files); \(keeping) }
            server { listen 127.0.0.1:\(far) backlog=4096; location / { proxy_pass http://files; } }
            """)
        let server = try Nginx.start(
            "outer-\(near)", in: bench.folder, workers: setup.workers,
            """
            access_log \(bench.folder.path)/outer-\(near).access.log combined buffer=64k flush=1s; \(proxying)
            ssl_certificate \(certificate.path); ssl_certificate_key \(certificate.keyPath);
            ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:10m;
            upstream inner { server 127.0.0.1:\(far); \(keeping) }
            server {
                listen 127.0.0.1:\(near) ssl http2 backlog=4096;
                location / { proxy_pass http://inner; }
            }
            """)
        let entrance = Way.Entrance(port: near, isSecure: true)
        let way = Way(
            "nginx",
            members: [
                Way.Member(role: "server", running: server), Way.Member(role: "client", running: client),
            ], files: entrance, sink: entrance, echo: entrance)
        try way.waitUntilOpen()
        return way
    }

    /// - Returns: seconds.
    private static func download(_ path: String, _ entrance: Way.Entrance) throws -> Double {
        let fields = entrance.fields.flatMap { ["-H", "\($0.name): \($0.value)"] }
        let result = try curl(
            fields + ["-k", "-o", "/dev/null", "https://127.0.0.1:\(entrance.port)\(path)"])
        guard result.status == 200, let seconds = result.values["time_total"].flatMap(Double.init) else {
            throw TestFailure("a download over TLS ended with \(result.exitCode): \(result.standardError)")
        }
        return seconds
    }

    private static func measureIdle(_ bench: Bench, _ certificate: Certificate) throws {
        let server = try TunnelServer(
            bench, as: "tls-idle",
            options: "tls: { certfile: \(certificate.path), keyfile: \(certificate.keyPath) }")
        let empty = try server.running.bytes("VmRSS")
        let tokens = (0..<idleTunnels).map { "benchmark-token-of-idle-\($0)" }
        let client = try bench.agent(
            at: bench.clientConfiguration(
                "tls-idle-client", to: server.port, tokens: tokens,
                options: "connections: 1, certfile: \(certificate.path)", scheme: "wss"))
        try server.waitForTunnels(idleTunnels, isSecure: true)
        let tunnels = "\(Number.thousands(idleTunnels)) wss tunnels"
        bench.record(
            (try server.running.bytes("VmRSS") - empty) / Double(idleTunnels) / 1024,
            "server memory for each of \(tunnels)", "KiB", side: "ours")
        bench.record(
            try client.bytes("VmRSS") / Double(idleTunnels) / 1024, "client memory for each of \(tunnels)",
            "KiB", side: "ours")
    }
}
