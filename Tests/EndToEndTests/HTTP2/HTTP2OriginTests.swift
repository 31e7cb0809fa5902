import Foundation
import TestSupport
import Testing

/// Origins that speak HTTP/2, through a whole tunnel.
@Suite struct HTTP2OriginTests {
    /// How nginx is named and asked.
    enum Way: CaseIterable {
        case h2c, plainInsisting, chosenByTLS, insistedOnOverTLS

        var isSecure: Bool { self == .chosenByTLS || self == .insistedOnOverTLS }

        func tunnel(to port: Int) throws -> TunnelPair {
            let scheme = self == .h2c ? "h2c" : isSecure ? "https" : "http"
            let insists = self == .plainInsisting || self == .insistedOnOverTLS
            return try TunnelPair(
                to: "\(scheme)://127.0.0.1:\(port)",
                clientOptions: (insists ? ["http: 2"] : []) + (isSecure ? ["insecure: true"] : []))
        }
    }

    private let folder: TemporaryFolder
    private let certificate: Certificate
    private let large: [UInt8]

    init() throws {
        folder = try TemporaryFolder()
        certificate = try Certificate()
        large = SplitMix64(seed: 5).sequence(5 << 20)
        try FileManager.default.createDirectory(
            atPath: folder.path(of: "upload"), withIntermediateDirectories: true)
        try Data(large).write(to: URL(fileURLWithPath: folder.path(of: "large.bin")))
    }

    private func nginx(isSecure: Bool, http2: Bool = true) throws -> NginxFront {
        try NginxFront { port in
            """
            server {
                listen 127.0.0.1:\(port)\(isSecure ? " ssl" : "")\(http2 ? " http2" : "");
                ssl_certificate \(certificate.path); ssl_certificate_key \(certificate.keyPath);
                root \(folder.path);
                location = /version { return 200 "$server_protocol $http_host $http_te"; }
                location /upload/ { dav_methods PUT; }
                location = /no-content { return 204; }
            }
            """
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: Way.allCases)
    func requestsGoOverHTTP2(way: Way) throws {
        let origin = try nginx(isSecure: way.isSecure)
        let tunnel = try way.tunnel(to: origin.port)
        let version = try tunnel.exchange(
            "GET", "/version", fields: [("TE", "trailers"), ("Connection", "TE")])
        #expect(version.text == "HTTP/2.0 127.0.0.1:\(origin.port) trailers")
        #expect(version.status == 200)
        #expect(try tunnel.exchange("GET", "/large.bin").body == large)
        #expect(try tunnel.exchange("PUT", "/upload/a", body: large).status == 201)
        #expect(try tunnel.exchange("GET", "/upload/a").body == large)
        let head = try tunnel.exchange("HEAD", "/large.bin")
        #expect(head.status == 200 && head.head["Content-Length"] == String(large.count) && head.body.isEmpty)
        #expect(try tunnel.exchange("GET", "/no-content").status == 204)
        #expect(try tunnel.exchange("GET", "/nowhere").status == 404)
    }

    @Test(.timeLimit(.minutes(1))) func manyCallersShareItsConnections() throws {
        let origin = try nginx(isSecure: false)
        let tunnel = try Way.h2c.tunnel(to: origin.port)
        let callers = (0..<40).map { _ in
            Background { try tunnel.exchange("GET", "/large.bin").body.count }
        }
        for caller in callers { #expect(try caller.value() == large.count) }
    }

    @Test(.timeLimit(.minutes(1))) func anOldTunnelReachesThemToo() throws {
        let origin = try nginx(isSecure: false)
        let tunnel = try TunnelPair(
            to: "h2c://127.0.0.1:\(origin.port)", clientOptions: ["protocol: v1"], connections: 1)
        #expect(try tunnel.exchange("GET", "/version").text.hasPrefix("HTTP/2.0"))
        #expect(try tunnel.exchange("GET", "/large.bin").body == large)
        #expect(try tunnel.exchange("PUT", "/upload/b", body: large).status == 201)
    }

    @Test(.timeLimit(.minutes(1))) func whatTheTunnelInsistsOnHolds() throws {
        let origin = try nginx(isSecure: true, http2: false)
        let choosing = try Way.chosenByTLS.tunnel(to: origin.port)
        #expect(try choosing.exchange("GET", "/version").text.hasPrefix("HTTP/1.1"))
        let insisting = try Way.insistedOnOverTLS.tunnel(to: origin.port)
        let answer = try insisting.exchange("GET", "/version")
        #expect(answer.status == 502 && answer.text.contains("ALPN"), "\(answer.text)")
        let both = try nginx(isSecure: true)
        let old = try TunnelPair(
            to: "https://127.0.0.1:\(both.port)", clientOptions: ["http: 1.1", "insecure: true"])
        #expect(try old.exchange("GET", "/version").text.hasPrefix("HTTP/1.1"))
        let plain = try ScriptedOrigin.echo()
        let mistaken = try TunnelPair(to: "h2c://127.0.0.1:\(plain.port)")
        #expect(try mistaken.exchange("GET", "/").status == 502)
    }

    @Test(.timeLimit(.minutes(1))) func originsThatCallersNameSpeakItToo() throws {
        let origin = try nginx(isSecure: false)
        let tunnel = try TunnelPair(to: nil, clientOptions: ["regexp: '.*'", "http: 2"])
        let answer = try tunnel.exchange(
            "GET", "/version", fields: [("X-Host", "http://127.0.0.1:\(origin.port)")])
        #expect(answer.text.hasPrefix("HTTP/2.0"))
    }

    @Test(.timeLimit(.minutes(1))) func aWebSocketNeedsAnOriginThatTakesIt() throws {
        let origin = try nginx(isSecure: false)
        let tunnel = try Way.h2c.tunnel(to: origin.port)
        let answer = try tunnel.exchange(
            "GET", "/",
            fields: [
                ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ])
        #expect(answer.status == 501 && answer.text.contains("speaks HTTP/2"), "\(answer.text)")
    }
}
