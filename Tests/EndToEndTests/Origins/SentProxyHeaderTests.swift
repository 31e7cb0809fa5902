import TestSupport
import Testing

/// `proxy-protocol` of a tunnel: origins learn whose a connection is.
@Suite(.timeLimit(.minutes(2))) struct SentProxyHeaderTests {
    private static let otherCaller = "127.0.0.2"

    /// An nginx that takes nothing but connections with a header, and says what stood in it.
    private static func origin(certificate: Certificate? = nil) throws -> NginxFront {
        let tls = certificate.map { "ssl_certificate \($0.path); ssl_certificate_key \($0.keyPath);" } ?? ""
        return try NginxFront { port in
            """
            server {
                listen 127.0.0.1:\(port) proxy_protocol\(certificate == nil ? "" : " ssl http2");
                \(tls)
                location / {
                    return 200 "$proxy_protocol_addr $proxy_protocol_server_port $connection $server_protocol\\n";
                }
            }
            """
        }
    }

    @Test(arguments: ["v1", "v2"])
    func nginxLearnsWhoCalls(version: String) throws {
        let origin = try Self.origin()
        let pair = try TunnelPair(
            to: "http://127.0.0.1:\(origin.port)", clientOptions: ["proxy-protocol: \(version)"],
            connections: 1)
        var connections: [String: Set<String>] = [:]
        for caller in ["127.0.0.1", Self.otherCaller, "127.0.0.1", Self.otherCaller] {
            let result = try pair.curl("/", "--interface", caller)
            #expect(result.status == 200, "\(result.text)")
            let words = result.text.split(separator: " ").map(String.init)
            #expect(words.first == caller)
            #expect(words[1] == "\(origin.port)")
            connections[caller, default: []].insert(words[2])
        }
        // One caller's next request may go over its last connection, another's never.
        #expect(connections.values.map(\.count) == [1, 1])
        #expect(Set(connections.values.flatMap(\.self)).count == 2)
    }

    @Test func itStandsBeforeTLSAndHTTP2() throws {
        let certificate = try Certificate()
        let origin = try Self.origin(certificate: certificate)
        let pair = try TunnelPair(
            to: "https://localhost:\(origin.port)",
            clientOptions: ["proxy-protocol: v2", "certfile: \(certificate.path)"], connections: 1)
        for caller in ["127.0.0.1", Self.otherCaller] {
            let result = try pair.curl("/", "--interface", caller)
            #expect(result.text.hasPrefix("\(caller) \(origin.port) "), "\(result.text)")
            #expect(result.text.hasSuffix("HTTP/2.0\n"))
        }
    }

    /// Where a proxy that the server trusts stands before it, the caller is who that names.
    @Test func theCallerIsWhomATrustedProxyNames() throws {
        let origin = try Self.origin()
        for (options, expected) in [(["trusted-proxies: [127.0.0.1]"], "203.0.113.9"), ([], "127.0.0.1")] {
            let pair = try TunnelPair(
                to: "http://127.0.0.1:\(origin.port)", serverOptions: options,
                clientOptions: ["proxy-protocol: v1"], connections: 1)
            let answer = try pair.exchange(
                "GET", "/", fields: [("X-Forwarded-For", "198.51.100.1, 203.0.113.9")])
            #expect(answer.text.hasPrefix("\(expected) "), "\(answer.text)")
        }
    }

    @Test func withoutItNginxRefuses() throws {
        let origin = try Self.origin()
        let pair = try TunnelPair(to: "http://127.0.0.1:\(origin.port)", connections: 1)
        #expect(try pair.exchange("GET", "/").status != 200)
    }

    /// From a caller through two proxies, by connection headers alone.
    @Test func oneAgentsHeaderIsAnothersToTake() throws {
        let origin = try Self.origin()
        let pair = try TunnelPair(
            to: "http://127.0.0.1:\(origin.port)",
            serverOptions: ["proxy-protocol: optional", "trusted-proxies: [127.0.0.1]"],
            clientOptions: ["proxy-protocol: v2"], connections: 1)
        let caller = try pair.connect()
        try caller.send("PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n")
        let answer = try caller.exchange("GET", "/", fields: [("X-Token", TunnelPair.token)])
        #expect(answer.text.hasPrefix("2001:db8::7 "), "\(answer.text)")
    }
}
