import Testing
import TunnelConfiguration

/// `transport`, `websocket-retry` and `longpoll`, and `inner-tls` of both ends.
@Suite struct CarrierKeysTests {
    private static let pin = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="

    private static func machine() -> PretendMachine {
        let machine = PretendMachine()
        machine.write(PretendMachine.certificate, to: "/ca.pem")
        machine.write(PretendMachine.key, to: "/key.pem")
        return machine
    }

    private static func load(_ text: String, on machine: PretendMachine = machine()) -> ConfigurationReport {
        machine.write(text, to: "/c")
        return loadConfiguration(at: "/c", from: machine)
    }

    private static func tunnel(_ keys: String, defaults: String = "{}") -> ConfigurationReport {
        load(
            """
            defaults: { tunnel: \(defaults) }
            tunnels:
              - { name: web, tunnel: "ws://h", server: builtin:echo, token: a-token-of-the-tests, \(keys) }
            """)
    }

    private static func server(
        _ keys: String, on machine: PretendMachine = machine()
    ) -> ConfigurationReport {
        load("servers: [{ name: a, \(keys) }]", on: machine)
    }

    @Test func whatIsNotWrittenIsByDefault() throws {
        let tunnel = try #require(Self.tunnel("timeout: 30").configuration?.tunnels.first)
        #expect(tunnel.transport == .auto && tunnel.websocketRetry == .seconds(600))
        #expect(tunnel.innerTrust == nil)
        let server = try #require(Self.server("port: 0").configuration?.servers.first)
        #expect(server.offersLongPoll && server.innerCertificate == nil)
    }

    // MARK: transport, websocket-retry and longpoll

    @Test(
        arguments: [
            ("transport: auto", .auto), ("transport: websocket", .websocket),
            ("transport: longpoll", .longpoll),
            ("transport: auto, protocol: v1", .auto), ("transport: websocket, protocol: v1", .websocket),
        ] as [(String, TunnelClientConfiguration.Transport)])
    func theCarrierIsAChoice(_ keys: String, _ transport: TunnelClientConfiguration.Transport) {
        let report = Self.tunnel(keys)
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.configuration?.tunnels.first?.transport == transport)
    }

    @Test(arguments: [
        ("long-poll", "did you mean \"longpoll\"?"), ("LongPoll", "did you mean \"longpoll\"?"),
        ("web", "did you mean \"websocket\"?"), ("http", "write one of auto, websocket, longpoll"),
    ])
    func anotherCarrierIsAClearError(_ text: String, _ advice: String) {
        let report = Self.tunnel("transport: \(text)")
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.path) == ["tunnels[web].transport"])
        #expect(report.problems.map(\.advice) == [advice])
    }

    @Test(
        arguments: [
            ("1", .seconds(1)), ("90s", .seconds(90)), ("24h", .seconds(86_400)), ("0", nil),
            ("999ms", nil), ("24h1s", nil), ("often", nil),
        ] as [(String, Duration?)])
    func theTimeToTheNextTryHasBounds(_ text: String, _ time: Duration?) {
        let report = Self.tunnel("websocket-retry: \(text)")
        #expect(report.configuration?.tunnels.first?.websocketRetry == time)
        #expect(report.problems.map(\.path) == (time == nil ? ["tunnels[web].websocket-retry"] : []))
    }

    @Test(arguments: [
        ("transport: websocket", "that is for \"transport: auto\""),
        ("transport: longpoll", "that is for \"transport: auto\""),
        ("protocol: v1", "protocol v1 takes WebSockets alone"),
    ])
    func aTimeThatNobodyWaitsIsWarnedOf(_ keys: String, _ reason: String) {
        let report = Self.tunnel("\(keys), websocket-retry: 5m")
        #expect(report.configuration != nil)
        #expect(report.problems.map(\.path) == ["tunnels[web].websocket-retry"])
        #expect(report.problems.map(\.message) == ["\"websocket-retry\" has no effect: \(reason)"])
        // Nothing is said of one that is for all tunnels, of which this one has no need of it.
        #expect(Self.tunnel(keys, defaults: "{ websocket-retry: 5m }").problems.isEmpty)
    }

    /// It is told where the entry itself says something.
    @Test(arguments: [
        ("transport: longpoll, protocol: v1", "{}", "tunnels[web].transport"),
        ("protocol: v1", "{ transport: longpoll }", "tunnels[web].protocol"),
        ("transport: longpoll", "{ protocol: v1 }", "tunnels[web].transport"),
        ("timeout: 30", "{ transport: longpoll, protocol: v1 }", "defaults.tunnel.transport"),
    ])
    func theOldProtocolHasNoLongPolling(_ keys: String, _ defaults: String, _ path: String) {
        let report = Self.tunnel(keys, defaults: defaults)
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.path) == [path])
        #expect(report.problems.map(\.message) == ["long polling speaks protocol v2 only"])
    }

    @Test func aServerMayRefuseLongPolling() {
        #expect(Self.server("longpoll: false").configuration?.servers.first?.offersLongPoll == false)
        #expect(Self.server("longpoll: sometimes").problems.map(\.path) == ["servers[a].longpoll"])
    }

    // MARK: inner-tls of tunnels

    @Test(arguments: [
        ("{ pin-sha256: \"\(pin)\" }", PeerTrust(pins: [pin])),
        (
            "{ pin-sha256: [\"sha256/\(pin)\"], server-name: a.example }",
            PeerTrust(pins: [pin], serverName: "a.example")
        ),
        (
            "{ certfile: ca.pem }",
            PeerTrust(
                certificates: CertificateFile(path: "/ca.pem", pem: Array(PretendMachine.certificate.utf8)))
        ),
    ])
    func whomToBelieveInsideIsRead(_ text: String, _ trust: PeerTrust) {
        // Outer TLS may be anything, or nothing at all.
        for keys in ["insecure: true", "transport: longpoll", "timeout: 30"] {
            let report = Self.tunnel("\(keys), inner-tls: \(text)")
            #expect(report.problems.isEmpty, "\(report.problems)")
            #expect(report.configuration?.tunnels.first?.innerTrust == trust)
        }
        #expect(
            Self.tunnel("timeout: 30", defaults: "{ inner-tls: \(text) }").configuration?.tunnels.first?
                .innerTrust == trust)
    }

    @Test(arguments: ["{}", "{ server-name: a.example }"])
    func theAuthoritiesOfTheMachineAreNotEnoughInside(_ text: String) {
        let report = Self.tunnel("inner-tls: \(text)")
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.path) == ["tunnels[web].inner-tls"])
        #expect(report.problems.first?.message.hasPrefix("it needs \"pin-sha256\" or \"certfile\"") == true)
        // Of all tunnels that take it over it is told once.
        #expect(
            Self.tunnel("timeout: 30", defaults: "{ inner-tls: \(text) }").problems.map(\.path)
                == ["defaults.tunnel.inner-tls"])
    }

    @Test(arguments: [
        ("{ pin-sha256: short }", "inner-tls.pin-sha256", "is no SHA-256 in base64"),
        ("{ pin-sha256: [] }", "inner-tls.pin-sha256", "the list is empty"),
        ("{ certfile: key.pem }", "inner-tls.certfile", "holds no PEM certificate"),
        ("{ certfile: nowhere.pem }", "inner-tls.certfile", "not found"),
        ("{ pin: \"\(pin)\" }", "inner-tls", "unknown key \"pin\""),
        ("{ pin-sha256: \"\(pin)\", server-name: \"a:1\" }", "inner-tls.server-name", "holds a port"),
        ("true", "inner-tls", "expected a mapping"),
    ])
    func badWordsOnWhomToBelieveAreAnError(_ text: String, _ key: String, _ message: String) {
        let report = Self.tunnel("inner-tls: \(text)")
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.path) == ["tunnels[web].\(key)"])
        #expect(report.problems.first?.message.contains(message) == true, "\(report.problems)")
        #expect(report.problems.first?.advice != nil)
    }

    @Test(arguments: ["insecure", "no-tls-verify", "tlsSkipVerify"])
    func nothingInsideGoesUnverified(_ key: String) {
        let report = Self.tunnel("inner-tls: { pin-sha256: \"\(Self.pin)\", \(key): true }")
        #expect(report.configuration == nil)
        #expect(report.problems.first?.advice?.contains("is always verified") == true, "\(report.problems)")
    }

    @Test(arguments: [
        ("protocol: v1, inner-tls: { pin-sha256: \"\(pin)\" }", "{}", "tunnels[web].inner-tls"),
        ("protocol: v1", "{ inner-tls: { pin-sha256: \"\(pin)\" } }", "tunnels[web].protocol"),
    ])
    func theOldProtocolHasNoTLSInside(_ keys: String, _ defaults: String, _ path: String) {
        let report = Self.tunnel(keys, defaults: defaults)
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.path) == [path])
        #expect(report.problems.map(\.message) == ["\"inner-tls\" takes protocol v2"])
    }

    // MARK: inner-tls of servers

    @Test func aServerReadsItsCertificateForInside() throws {
        let machine = Self.machine()
        let report = Self.server(
            "inner-tls: { certfile: ca.pem, keyfile: key.pem, keyfile-password: pass-of-key }", on: machine)
        #expect(report.problems.map(\.path) == [])
        let pair = try #require(report.configuration?.servers.first?.innerCertificate)
        #expect(pair.chain.path == "/ca.pem" && pair.keyPath == "/key.pem")
        #expect(pair.password == Secret("pass-of-key"))
        // What `watch` looks at.
        #expect(Set(report.sources.files).isSuperset(of: ["/ca.pem", "/key.pem"]))
        #expect(machine.questions.contains("pair /key.pem"))
    }

    @Test(arguments: [
        ("{}", "inner-tls", "\"certfile\" is missing"),
        ("{ keyfile: key.pem }", "inner-tls.keyfile", "there is a key and no certificate"),
        ("{ certfile: ca.pem }", "inner-tls.certfile", "holds no PEM private key"),
        ("{ certfile: nowhere.pem, keyfile: key.pem }", "inner-tls.certfile", "not found"),
        ("{ certfile: ca.pem, keyfile: key.pem, hosts: a }", "inner-tls", "unknown key \"hosts\""),
        ("ca.pem", "inner-tls", "expected a mapping"),
    ])
    func aBadCertificateForInsideIsAnError(_ text: String, _ key: String, _ message: String) {
        let report = Self.server("inner-tls: \(text)")
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.path) == ["servers[a].\(key)"])
        #expect(report.problems.first?.message.contains(message) == true, "\(report.problems)")
        #expect(report.problems.first?.advice != nil)
    }

    @Test func itIsLookedAtAsThoseOfTLSAre() {
        let keys = "inner-tls: { certfile: ca.pem, keyfile: key.pem }"
        let machine = Self.machine()
        machine.keyPairFault = .mismatch
        let mismatch = Self.server(keys, on: machine)
        #expect(mismatch.problems.map(\.path) == ["servers[a].inner-tls.keyfile"])
        #expect(mismatch.problems.first?.message.contains("is another certificate's") == true)
        for (now, words) in [
            (4_949_596_125 - 13 * 86_400, "expires on 2126-11-05"),
            (4_949_596_125 + 86_400, "expired on 2126-11-05"),
        ] {
            let machine = Self.machine()
            machine.now = now
            let report = Self.server(keys, on: machine)
            #expect(report.isValid)
            #expect(report.problems.map(\.path) == ["servers[a].inner-tls.certfile"])
            #expect(report.problems.first?.message.contains(words) == true)
        }
    }
}
