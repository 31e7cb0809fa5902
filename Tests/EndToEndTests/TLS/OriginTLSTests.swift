import TestSupport
import Testing

/// TLS on either side of a tunnel client: to the origin, and to what stands before the tunnel server.
@Suite struct TLSTests {
    private let certificate: Certificate

    init() throws { certificate = try Certificate() }

    /// How a certificate that signs itself becomes good.
    enum Trust: CaseIterable {
        case certfile, insecure

        func option(_ certificate: Certificate) -> String {
            self == .certfile ? "certfile: \(certificate.path)" : "insecure: true"
        }
    }

    private func secureOrigin() throws -> NginxFront {
        try NginxFront(certificate: certificate, "location / { return 200 \"secure $http_host\\n\"; }")
    }

    @Test(.timeLimit(.minutes(1)), arguments: Trust.allCases, ["127.0.0.1", "localhost"])
    func aTrustedOriginIsServed(trust: Trust, host: String) throws {
        let origin = try secureOrigin()
        let tunnel = try TunnelPair(
            to: "https://\(host):\(origin.port)", clientOptions: [trust.option(certificate)])
        let answer = try tunnel.exchange("GET", "/")
        #expect(answer.status == 200)
        #expect(answer.text == "secure \(host):\(origin.port)\n")
    }

    @Test(.timeLimit(.minutes(1))) func anOriginNobodyVouchesForIsABadGateway() throws {
        let origin = try secureOrigin()
        let tunnel = try TunnelPair(to: "https://127.0.0.1:\(origin.port)")
        let answer = try tunnel.exchange("GET", "/")
        #expect(answer.status == 502)
        #expect(answer.text.contains("certificate is signed by itself"), "\(answer.text)")
        #expect(answer.text.contains("certfile"), "the answer says what to do")
    }

    @Test(.timeLimit(.minutes(1))) func aPlainOriginIsToldFromATLSOne() throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: "https://127.0.0.1:\(origin.port)")
        let answer = try tunnel.exchange("GET", "/")
        #expect(answer.status == 502)
        #expect(answer.text.contains("no TLS with 127.0.0.1:\(origin.port)"), "\(answer.text)")
    }

    @Test(.timeLimit(.minutes(1)), arguments: Trust.allCases)
    func aTunnelRunsThroughATerminatorOfTLS(trust: Trust) throws {
        let origin = try ScriptedOrigin.echo()
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let front = try NginxFront.terminator(certificate: certificate, to: port)
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "wss://127.0.0.1:\(front.port)", to: origin.url,
                options: ["connections: 2", trust.option(certificate)]))
        try server.waitForSessions(2)
        try client.waitForLog("Session ready", ["tunnel.name": "web"])
        var random = SplitMix64(seed: 23)
        let caller = try HTTPConnection(port: port)
        for size in [0, 1, 1000, 2 << 20] {
            let body = random.bytes(size)
            let answer = try caller.exchange(
                "POST", "/", fields: [("X-Token", TunnelPair.token)], body: body)
            #expect(answer.status == 200)
            #expect(answer.body == body)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aServerNobodyVouchesForIsNotConnectedTo() throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let front = try NginxFront.terminator(certificate: certificate, to: port)
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "wss://127.0.0.1:\(front.port)", to: "builtin:echo"))
        let complaint = try client.waitForLog("Cannot connect", ["tunnel.name": "web"])
        #expect(complaint["error.message"]?.contains("certificate") == true, "\(complaint.fields)")
        #expect(complaint["error.message"]?.contains("certfile") == true, "\(complaint.fields)")
        let caller = try HTTPConnection(port: port)
        #expect(try caller.exchange("GET", "/", fields: [("X-Token", TunnelPair.token)]).status == 404)
    }
}
