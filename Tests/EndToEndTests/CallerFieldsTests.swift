import TestSupport
import Testing

/// Who calls, as a real origin is told of it by every field: callers with and without forged ones, from strangers and from a
/// proxy that is trusted, over HTTP/1 and HTTP/2.
@Suite struct CallerFieldsTests {
    private static let forged = [
        "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: pub.example",
        "X-Forwarded-Port: 8443", "Forwarded: for=192.0.2.1;proto=https;host=pub.example", "Via: 1.0 front",
        "X-Forwarded-Prefix: /p", "X-Real-IP: 192.0.2.1", "X-Tunnel-Public: token /forged",
    ]

    /// Lines of the request, as the origin got it, that tell of hops.
    private static func told(
        _ tunnel: TunnelPair, isHTTP2: Bool, forged: [String]
    ) throws -> [String] {
        let fields = forged.flatMap { ["-H", $0] }
        let version = isHTTP2 ? "--http2-prior-knowledge" : "--http1.1"
        let answer = try curl([version, "-H", "X-Token: \(TunnelPair.token)"] + fields + [tunnel.url + "/x"])
        #expect(answer.status == 200)
        let names = ["x-forwarded", "forwarded:", "via:", "x-real", "x-tunnel"]
        return answer.text.split(separator: "\n").map(String.init)
            .filter { line in names.contains { line.lowercased().hasPrefix($0) } }
            .map { $0.replacing(/127\.0\.0\.1:[0-9]+";host/, with: #"127.0.0.1:PORT";host"#) }
            .map { line in
                // HTTP/2 writes names in lower case.
                guard let colon = line.firstIndex(of: ":") else { return line }
                return line[..<colon].lowercased() + line[colon...]
            }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [false, true])
    func theOriginKnowsWhoCalls(isTrusted: Bool) throws {
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() { try connection.respond(text: "\(request)") }
        }
        let tunnel = try TunnelPair(
            to: origin.url, serverOptions: isTrusted ? ["trusted-proxies: [127.0.0.1]"] : [], connections: 1)
        let host = "127.0.0.1:\(tunnel.port)"
        let own = #"for="127.0.0.1:PORT";host="\#(host)";proto=http"#
        for isHTTP2 in [false, true] {
            let via = isHTTP2 ? "2.0 wstunnel" : "1.1 wstunnel"
            let plain = [
                "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http", "x-forwarded-host: \(host)",
                "x-forwarded-port: \(tunnel.port)", "forwarded: \(own)", "via: \(via)",
            ]
            #expect(try Self.told(tunnel, isHTTP2: isHTTP2, forged: []) == plain)
            let believed = [
                "forwarded: for=192.0.2.1;proto=https;host=pub.example, \(own)", "via: 1.0 front, \(via)",
                "x-forwarded-for: 192.0.2.1, 127.0.0.1", "x-forwarded-host: pub.example",
                "x-forwarded-port: 8443", "x-forwarded-prefix: /p", "x-forwarded-proto: https",
                "x-real-ip: 192.0.2.1",
            ]
            let told = try Self.told(tunnel, isHTTP2: isHTTP2, forged: Self.forged)
            #expect(isTrusted ? told.sorted() == believed : told == plain, "\(told)")
        }
        // By Forwarded alone it is known who calls.
        let told = try Self.told(
            tunnel, isHTTP2: false, forged: ["Forwarded: for=192.0.2.1;proto=https;host=pub.example"])
        #expect(told.contains("x-forwarded-for: 192.0.2.1, 127.0.0.1") == isTrusted)
        #expect(told.contains("x-forwarded-proto: https") == isTrusted)
        try tunnel.server.waitForLog("Request", ["caller.address": isTrusted ? "192.0.2.1" : "127.0.0.1"])
    }

    @Test(.timeLimit(.minutes(1))) func forwardedAndViaCanBeLeftOut() throws {
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() { try connection.respond(text: "\(request)") }
        }
        let tunnel = try TunnelPair(
            to: origin.url, serverOptions: ["forwarding: x-forwarded"], connections: 1)
        let told = try Self.told(tunnel, isHTTP2: false, forged: Self.forged)
        #expect(
            told == [
                "x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http",
                "x-forwarded-host: 127.0.0.1:\(tunnel.port)", "x-forwarded-port: \(tunnel.port)",
            ])
    }
}
