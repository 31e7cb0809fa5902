import TestSupport
import Testing

/// Tunnel clients that must go through a proxy: a real one, and some that misbehave.
@Suite(.timeLimit(.minutes(1))) struct ProxyTests {
    private static let user = "walter"
    private static let password = "proxy-s3cret"

    struct Way: CustomTestStringConvertible, Sendable {
        let isSecure: Bool
        let hasPassword: Bool
        var testDescription: String {
            (isSecure ? "wss" : "ws") + (hasPassword ? " with a password" : " without a password")
        }
    }

    private static func server() throws -> (AgentProcess, Int) {
        let server = try AgentProcess(configuration: Configuration.server())
        return (server, try server.port(ofServer: "public"))
    }

    private static func proxyURL(_ port: Int, hasPassword: Bool = false) -> String {
        "proxy: http://" + (hasPassword ? "\(user):\(password)@" : "") + "127.0.0.1:\(port)"
    }

    private static func client(
        tunnel: String, to origin: String = "builtin:echo", _ options: [String],
        environment: [String: String] = [:]
    ) throws -> AgentProcess {
        try AgentProcess(
            configuration: Configuration.client(
                tunnel: tunnel, to: origin, options: ["connections: 1"] + options), environment: environment)
    }

    @Test(arguments: [
        Way(isSecure: false, hasPassword: false), Way(isSecure: false, hasPassword: true),
        Way(isSecure: true, hasPassword: false), Way(isSecure: true, hasPassword: true),
    ])
    func aTunnelRunsThroughTinyproxy(way: Way) throws {
        let (server, port) = try Self.server()
        let certificate = try Certificate()
        let front = try NginxFront.terminator(certificate: certificate, to: port)
        let proxy = try Tinyproxy(credentials: way.hasPassword ? (Self.user, Self.password) : nil)
        let dialled = way.isSecure ? front.port : port
        let client = try Self.client(
            tunnel: "\(way.isSecure ? "wss" : "ws")://127.0.0.1:\(dialled)",
            [Self.proxyURL(proxy.port, hasPassword: way.hasPassword), "certfile: \(certificate.path)"])
        try server.waitForSessions(1)
        try proxy.waitForRequest(port: dialled)
        var random = SplitMix64(seed: 4)
        for size in [0, 1, 100_000, 3 << 20] {
            // An echo begins before its request has ended: the connection may be over with it.
            let caller = try HTTPConnection(port: port)
            let body = random.bytes(size)
            let answer = try caller.exchange("POST", "/", fields: [("X-Token", TunnelPair.token)], body: body)
            #expect(answer.status == 200)
            #expect(size == 0 || answer.body == body)
        }
        #expect(try client.stop() == .code(0))
        let log = client.log.joined(separator: "\n")
        #expect(log.contains("proxy.address=127.0.0.1:\(proxy.port)"))
        #expect(!log.contains(Self.password))
    }

    @Test func aServerNobodyVouchesForIsNotTrustedBehindAProxyEither() throws {
        let (_, port) = try Self.server()
        let front = try NginxFront.terminator(certificate: try Certificate(), to: port)
        let proxy = try Tinyproxy()
        let client = try Self.client(tunnel: "wss://127.0.0.1:\(front.port)", [Self.proxyURL(proxy.port)])
        let line = try client.waitForLog("Cannot connect", ["error.code": "unreachable"])
        let words = line["error.message"] ?? ""
        #expect(
            words.hasPrefix("the server's certificate is signed by itself (CN=wstunnel test): name it with"))
        #expect(words.hasSuffix(" (through the proxy 127.0.0.1:\(proxy.port))"))
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// What the client says; tinyproxy asks for `password`.
        let userinfo: String
        var allowedPort: Int?
        let words: String
    }

    @Test(arguments: [
        Refusal(
            testDescription: "no password", userinfo: "", words: "asks for a user and a password (407)"),
        Refusal(
            testDescription: "a wrong password", userinfo: "\(user):wrong-\(password)@",
            // tinyproxy says 401 here.
            words: "does not take the user and the password that its URL names (401)"),
        Refusal(
            testDescription: "a port that is not allowed", userinfo: "\(user):\(password)@", allowedPort: 1,
            words: "it answered 403"),
    ])
    func aRefusalOfTinyproxyIsNamedAndTriedSlowly(_ example: Refusal) throws {
        let proxy = try Tinyproxy(
            credentials: (Self.user, Self.password), allowedPort: example.allowedPort)
        let client = try Self.client(
            tunnel: "ws://127.0.0.1:9",
            [
                "proxy: \"http://\(example.userinfo)127.0.0.1:\(proxy.port)\"",
                // Plain requests may get through where connections do not: that is tried soon.
                "transport: websocket",
            ])
        let line = try client.waitForLog("Cannot connect", ["error.code": "proxy-rejected"])
        let message = line["error.message"] ?? ""
        #expect(message.contains(example.words), "\(message)")
        #expect(message.contains("the proxy 127.0.0.1:\(proxy.port)"), "\(message)")
        #expect(line["tunnel.url"] == "ws://127.0.0.1:9")
        let delay = line["retry.delay.ms"].flatMap { Double($0) } ?? 0
        #expect(delay >= 22_000 && delay <= 38_000)
        #expect(!client.log.joined().contains(Self.password))
        #expect(try client.stop() == .code(0))
    }

    @Test func aServerThatTheProxyCannotReachIsTriedUntilItIsThere() throws {
        let proxy = try Tinyproxy()
        let port = try freePort()
        let client = try Self.client(tunnel: "ws://127.0.0.1:\(port)", [Self.proxyURL(proxy.port)])
        let line = try client.waitForLog("Cannot connect", ["error.code": "proxy-rejected"])
        #expect(
            line["error.message"]?.contains("it answered 500: Unable to connect") == true, "\(line.fields)")
        let server = try AgentProcess(
            configuration: "servers:\n  - { name: public, host: 127.0.0.1, port: \(port) }\n")
        try server.waitForSessions(1)
    }

    @Test func aProxyThatDiesInTheMiddleCostsTheRequestAndNotTheTunnel() throws {
        let goesOn = Gate()
        defer { goesOn.open() }
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                guard request.target == "/endless" else {
                    try connection.respond(text: "small")
                    continue
                }
                try connection.writeHead(200, fields: [("Content-Length", "1000000")])
                try connection.socket.write("some")
                try goesOn.wait(within: .seconds(40))
            }
        }
        let (server, port) = try Self.server()
        var proxy = try Tinyproxy()
        let client = try Self.client(
            tunnel: "ws://127.0.0.1:\(port)", to: origin.url, [Self.proxyURL(proxy.port)])
        try server.waitForSessions(1)
        let token = [("X-Token", TunnelPair.token)]
        let caller = try HTTPConnection(port: port)
        try caller.send("GET", "/endless", fields: token)
        #expect(try caller.readHead().status == 200)
        #expect(try caller.socket.read(4) == Array("some".utf8))
        let lines = server.log.count
        proxy.kill()
        #expect([.closed, .reset].contains(caller.socket.waitForEnd()), "a short body never looks whole")
        try client.waitForLog("Session lost")
        try client.waitForLog("Cannot connect", ["error.code": "proxy-unreachable"])
        proxy = try Tinyproxy(port: proxy.port)
        try server.waitForSessions(1, from: lines)
        #expect(try HTTPConnection(port: port).exchange("GET", "/", fields: token).text == "small")
    }

    @Test(arguments: ["HTTPS_PROXY", "http_proxy"])
    func theProxyOfTheEnvironmentIsAskedForNamesThatOnlyItKnows(variable: String) throws {
        let proxy = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.respond(
                502, text: "who is \(request.target) \(request["Proxy-Authorization"] ?? "")\n")
        }
        let others = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"]
        var environment = Dictionary(uniqueKeysWithValues: others.map { ($0, "") })
        environment[variable] = "http://\(Self.user):\(Self.password)@127.0.0.1:\(proxy.port)"
        let client = try Self.client(tunnel: "ws://inner.invalid", [], environment: environment)
        let line = try client.waitForLog("Cannot connect", ["error.code": "proxy-rejected"])
        let message = line["error.message"] ?? ""
        #expect(message.contains("it answered 502: who is inner.invalid:80 Basic ***"), "\(message)")
        #expect(!client.log.joined().contains(Self.password))
        // The server may be reached directly all the same.
        environment["no_proxy"] = "example.com,.invalid"
        let direct = try Self.client(tunnel: "ws://inner.invalid", [], environment: environment)
        try direct.waitForLog("Cannot connect", ["error.code": "unreachable"])
    }
}
