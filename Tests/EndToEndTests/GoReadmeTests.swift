import TestSupport
import Testing

/// The command lines in the Go program's README, as they stand there but for ports, hosts and files.
@Suite(.timeLimit(.minutes(1))) struct GoReadmeTests {
    private static let token = "my_b!g_$secret!!"

    /// `./wstunnel srv -port 8080 …`; only here the kernel picks the port, and nobody else can connect.
    private static func server(_ flags: String...) throws -> (process: AgentProcess, port: Int) {
        let server = try AgentProcess(arguments: ["srv", "-port", "0", "-host", "127.0.0.1"] + flags)
        return (server, try server.port(ofServer: "srv"))
    }

    /// `./wstunnel cli …`
    private static func client(
        _ flags: String..., environment: [String: String] = [:]
    ) throws -> AgentProcess {
        try AgentProcess(arguments: ["cli"] + flags, environment: environment)
    }

    private static func page() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.respond(text: "<html> \(request.target)")
            }
        }
    }

    /// Both curl commands of "Make a request through the tunnel".
    private static func expectPage(
        at url: String, _ options: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let byPath = try curl(options + ["\(url)/_token/my_b!g_$secret!!/some/web/page"])
        #expect(byPath.text == "<html> /some/web/page", sourceLocation: sourceLocation)
        let byField = try curl(options + ["-HX-Token:my_b!g_$secret!!", "\(url)/some/web/page"])
        #expect(byField.text == "<html> /some/web/page", sourceLocation: sourceLocation)
    }

    @Test func aServerOnAPortIsHealthy() throws {
        let (server, port) = try Self.server()
        let health = try curl("http://localhost:\(port)/_health_check")
        #expect(health.text == "WSTUNSRV RUNNING\n")
        #expect(try server.stop() == .code(0))
    }

    @Test(arguments: [
        ["-passwords", "token1:password1,token2:password2"],
        ["-max-requests-per-tunnel", "50"],
        ["-max-clients-per-token", "1"],
        [
            "-passwords", "prod-token:secure-password,dev-token:dev-pass", "-max-requests-per-tunnel", "30",
            "-max-clients-per-token", "2",
        ],
    ])
    func aServerWithPasswordsAndLimitsStarts(flags: [String]) throws {
        let server = try AgentProcess(arguments: ["srv", "-port", "0", "-host", "127.0.0.1"] + flags)
        let port = try server.port(ofServer: "srv")
        #expect(try curl("http://localhost:\(port)/_health_check").text == "WSTUNSRV RUNNING\n")
        for secret in ["password1", "password2", "secure-password", "dev-pass"] {
            #expect(!server.process.standardError.text.contains(secret))
        }
        #expect(try server.stop() == .code(0))
    }

    @Test func aTunnelByTokenIsFoundByPathAndByField() throws {
        let (server, port) = try Self.server()
        let origin = try Self.page()
        let client = try Self.client(
            "-tunnel", "ws://127.0.0.1:\(port)", "-server", origin.url, "-token", "my_b!g_$secret!!")
        try client.waitForSession(ofTunnel: "cli", at: server)
        try Self.expectPage(at: "http://127.0.0.1:\(port)")
    }

    @Test func aTokenWithItsPasswordOpensATunnel() throws {
        let (server, port) = try Self.server("-passwords", "\(Self.token):mypassword")
        let origin = try Self.page()
        let client = try Self.client(
            "-tunnel", "ws://127.0.0.1:\(port)", "-server", origin.url, "-token",
            "my_b!g_$secret!!:mypassword")
        try client.waitForSession(ofTunnel: "cli", at: server)
        try Self.expectPage(at: "http://127.0.0.1:\(port)")
    }

    @Test func thePasswordMayComeFromTheEnvironment() throws {
        let (server, port) = try Self.server("-passwords", "\(Self.token):mypassword")
        let origin = try Self.page()
        let client = try Self.client(
            "-tunnel", "ws://127.0.0.1:\(port)", "-server", origin.url, "-token", "my_b!g_$secret!!",
            environment: ["WSTUNNEL_PASSWORD": "mypassword"])
        try client.waitForSession(ofTunnel: "cli", at: server)
        try Self.expectPage(at: "http://127.0.0.1:\(port)")
    }

    @Test func theLimitOfClientsIsKept() throws {
        let (server, port) = try Self.server("-max-clients-per-token", "1")
        let flags = ["-tunnel", "ws://127.0.0.1:\(port)", "-server", "builtin:echo", "-token", Self.token]
        let first = try AgentProcess(arguments: ["cli"] + flags)
        try first.waitForSession(ofTunnel: "cli", at: server)
        let second = try AgentProcess(arguments: ["cli"] + flags)
        let complaint = try second.waitForLog("Cannot connect")
        #expect(complaint["error.message"]?.contains("429") == true, "\(complaint.fields)")
    }

    @Test func severalWebServersAreReachedByXHost() throws {
        let (server, port) = try Self.server()
        let origins = [try Self.named("www"), try Self.named("blog"), try Self.named("secret")]
        let hosts = origins.map { "127\\.0\\.0\\.1:\($0.port)" }
        let client = try Self.client(
            "-regexp", "http://(\(hosts[0])|\(hosts[1]))", "-server", origins[0].url, "-tunnel",
            "ws://127.0.0.1:\(port)", "-token", Self.token)
        try client.waitForSession(ofTunnel: "cli", at: server)
        let url = "http://127.0.0.1:\(port)/_token/\(Self.token)/"
        #expect(try curl(url).text == "www")
        #expect(try curl("-HX-Host: \(origins[0].url)", url).text == "www")
        #expect(try curl("-HX-Host: \(origins[1].url)", url).text == "blog")
        #expect(try curl("-HX-Host: \(origins[2].url)", url).status == 403)
    }

    private static func named(_ name: String) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while try connection.readRequest() != nil { try connection.respond(text: name) }
        }
    }

    @Test(arguments: [
        (#"https://.*\.some\.example\.com"#, "https://default.some.example.com"),
        (#"http://(www\.example\.com|blog\.example\.com)"#, "http://www.example.com"),
    ])
    func theREADMEsOwnExpressionsLetNobodyElseIn(regexp: String, server: String) throws {
        let (agent, port) = try Self.server()
        let client = try Self.client(
            "-regexp", regexp, "-server", server, "-tunnel", "ws://127.0.0.1:\(port)", "-token", Self.token)
        try client.waitForSession(ofTunnel: "cli", at: agent)
        for host in ["http://127.0.0.1", "https://www.some.example.com.evil.test", "http://blogXexample.com"]
        {
            let answer = try curl(
                "-HX-Host: \(host)", "http://127.0.0.1:\(port)/_token/\(Self.token)/")
            #expect(answer.status == 403)
            #expect(answer.text.contains("does not match regexp"))
        }
    }

    @Test func aTunnelRunsThroughAProxyWithAPassword() throws {
        let (server, port) = try Self.server()
        let proxy = try Tinyproxy(credentials: ("myuser", "mypass"))
        let origin = try Self.page()
        let client = try Self.client(
            "-proxy", "http://myuser:mypass@127.0.0.1:\(proxy.port)", "-tunnel", "ws://127.0.0.1:\(port)",
            "-server", origin.url, "-token", Self.token)
        try client.waitForSession(ofTunnel: "cli", at: server)
        try proxy.waitForRequest(port: port)
        try Self.expectPage(at: "http://127.0.0.1:\(port)")
        #expect(!client.process.standardError.text.contains("mypass"))
    }

    @Test func nginxInFrontEndsTLSForClientsAndCallers() throws {
        let (server, port) = try Self.server()
        let origin = try Self.page()
        let certificate = try Certificate()
        let front = try NginxFront(
            certificate: certificate,
            """
            location / {
                proxy_redirect off;
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection "Upgrade";
                proxy_set_header Host $http_host;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_buffering off;
                proxy_pass http://127.0.0.1:\(port);
            }
            """)
        let client = try Self.client(
            "-tunnel", "wss://127.0.0.1:\(front.port)", "-server", origin.url, "-token", Self.token,
            "-certfile", certificate.path)
        try client.waitForSession(ofTunnel: "cli", at: server)
        try Self.expectPage(at: "https://127.0.0.1:\(front.port)", "--cacert", certificate.path)
    }

    @Test func aBasePathStandsBeforeEverythingAndInTheTunnelsURL() throws {
        let (server, port) = try Self.server("-base-path", "/wstunnel")
        let origin = try Self.page()
        let client = try Self.client(
            "-tunnel", "ws://127.0.0.1:\(port)/wstunnel", "-server", origin.url, "-token", Self.token)
        try client.waitForSession(ofTunnel: "cli", at: server)
        try Self.expectPage(at: "http://127.0.0.1:\(port)/wstunnel")
        #expect(
            try curl("http://127.0.0.1:\(port)/wstunnel/_health_check").text == "WSTUNSRV RUNNING\n")
    }
}
