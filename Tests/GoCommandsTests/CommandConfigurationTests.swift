import GoCommands
import Testing
import TunnelConfiguration
import TunnelProtocol

/// What command lines of the Go program mean here.
private let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

@Suite struct CommandConfigurationTests {
    /// The example of the Go program's README.
    static let token = "my_b!g_$secret!!"

    private static func agent(
        log: LogConfiguration = LogConfiguration(format: .text), pidfile: String? = nil,
        _ server: ServerConfiguration
    ) -> AgentConfiguration {
        AgentConfiguration(log: log, pidfile: pidfile, servers: [server])
    }

    private static func server(_ change: (inout ServerConfiguration) -> Void = { _ in })
        -> ServerConfiguration
    {
        var server = ServerConfiguration(name: "srv", times: .init(queue: .seconds(1200)))
        change(&server)
        return server
    }

    private static func tunnel(
        _ change: (inout TunnelClientConfiguration) throws -> Void = { _ in }
    ) throws -> TunnelClientConfiguration {
        var tunnel = TunnelClientConfiguration(
            name: "cli", tunnel: TunnelURL(isSecure: false, host: "wstun.example.com", port: 8080),
            origin: .web(OriginURL(isSecure: false, host: "localhost", port: 80)),
            token: try RendezvousToken(token), longestRetryDelay: .seconds(5))
        try change(&tunnel)
        return tunnel
    }

    private static let cli = [
        "-tunnel", "ws://wstun.example.com:8080", "-server", "http://localhost", "-token", token,
    ]

    @Test func aServerWithoutFlagsIsTheGoProgramsServer() {
        let result = read(.srv, [])
        #expect(result.errors + result.warnings == [])
        #expect(result.configuration == Self.agent(Self.server()))
    }

    @Test func everyFlagOfAServerCounts() throws {
        let result = read(
            .srv,
            [
                "-port", "8080", "--host=127.0.0.1", "-base-path", "wstunnel/", "-wstimeout", "60",
                "-httptimeout=90",
                "-passwords", "prod-token-000001:secure-password, dev-token-0000002:dev:pass",
                "-max-requests-per-tunnel",
                "30", "-max-clients-per-token", "2", "-pidfile", "/run/a.pid", "-logfile", "a.log", "-syslog",
                "local3",
                "-log-level", "warn", "-log-pretty",
            ])
        #expect(result.errors == [])
        let passwords: [RendezvousToken: Set<Secret>] = [
            try RendezvousToken("prod-token-000001"): [Secret("secure-password")],
            try RendezvousToken("dev-token-0000002"): [Secret("dev:pass")],
        ]
        #expect(
            result.configuration
                == Self.agent(
                    log: LogConfiguration(
                        level: .warning, format: .text, destination: .file(path: "/folder/a.log"),
                        syslog: .local3),
                    pidfile: "/run/a.pid",
                    ServerConfiguration(
                        name: "srv", host: "127.0.0.1", port: 8080, routes: .init(basePath: "/wstunnel"),
                        times: .init(keepalive: .seconds(60), stall: .seconds(90), queue: .seconds(90)),
                        limits: .init(waitingPerToken: 30, clientsPerToken: 2),
                        trust: .init(passwords: passwords))))
    }

    @Test func theTunnelOfTheGoProgramsReadme() throws {
        let result = read(.cli, Self.cli)
        #expect(result.errors == [])
        #expect(result.warnings.count == 1)
        #expect(
            result.configuration
                == AgentConfiguration(log: LogConfiguration(format: .text), tunnels: [try Self.tunnel()]))
        let withPassword = read(.cli, Self.cli.dropLast() + ["\(Self.token):mypassword"])
        #expect(
            withPassword.configuration?.tunnels == [try Self.tunnel { $0.password = Secret("mypassword") }])
        let colons = read(.cli, Self.cli.dropLast() + [" \(Self.token) : my:password "])
        #expect(colons.configuration?.tunnels == [try Self.tunnel { $0.password = Secret("my:password") }])
    }

    /// Every command line of the Go program's README.
    @Test(arguments: [
        (GoCommand.srv, "-port 8080"), (.srv, "-port 8080 -passwords token1:password1,token2:password2"),
        (.srv, "-port 8080 -max-requests-per-tunnel 50"), (.srv, "-port 8080 -max-clients-per-token 1"),
        (
            .srv,
            "-port 8080 -passwords prod-token:secure-password,dev-token:dev-pass -max-requests-per-tunnel 30 "
                + "-max-clients-per-token 2"
        ),
        (.srv, "-port 8080 -base-path /wstunnel"),
        (.cli, "-tunnel ws://wstun.example.com:8080 -server http://localhost -token my_b!g_$secret!!"),
        (
            .cli,
            "-tunnel ws://wstun.example.com:8080 -server http://localhost -token my_b!g_$secret!!:mypassword"
        ),
        (
            .cli,
            "-regexp https://.*\\.some\\.example\\.com -server https://default.some.example.com -tunnel "
                + "wss://wstun.example.com -token my_b!g_$secret!!"
        ),
        (
            .cli,
            "-regexp http://(www\\.example\\.com|blog\\.example\\.com) -server http://www.example.com -tunnel "
                + "wss://wstun.example.com -token my_b!g_$secret!!"
        ),
        (
            .cli,
            "-proxy http://myuser:mypass@proxy-server.com:3128 -server http://localhost -tunnel "
                + "wss://wstun.example.com -token my_b!g_$secret!!"
        ),
    ]) func theGoProgramsReadmeStillHolds(_ command: GoCommand, _ line: String) {
        let result = read(command, line.split(separator: " ").map(String.init))
        #expect(result.errors == [])
        #expect(result.configuration != nil)
    }

    @Test func everyFlagOfATunnelCounts() throws {
        let machine = StillMachine(files: [
            "/folder/ca.pem": pem, "/run/password": "from-a-file\n",
        ])
        let result = read(
            .cli,
            Self.cli + [
                "-insecure=false", "-regexp", "https://.*\\.some\\.example\\.com", "-timeout", "45",
                "-pidfile", "a.pid",
                "-logfile", "-", "-statusfile", "a.status", "-proxy",
                "http://myuser:mypass@proxy-server.com:3128",
                "-client-ports", "8000..8100,8300..8400,8500,8505", "-certfile", "ca.pem", "-reconnect-delay",
                "7",
                "-max-retries", "9", "-log-level", "debug", "-password-file", "/run/password",
            ], machine)
        #expect(result.errors == [])
        let tunnel = try Self.tunnel {
            $0.hostPattern = try HostPattern(source: "https://.*\\.some\\.example\\.com")
            $0.timeout = .seconds(45)
            $0.statusFile = "/folder/a.status"
            $0.proxy = ProxyURL(
                host: "proxy-server.com", port: 3128,
                credentials: BasicCredentials(user: "myuser", password: Secret("mypass")))
            $0.clientPorts = [8000...8100, 8300...8400, 8500...8500, 8505...8505]
            $0.trust.certificates = CertificateFile(path: "/folder/ca.pem", pem: Array(pem.utf8))
            $0.longestRetryDelay = .seconds(7)
            $0.maxRetries = 9
            $0.password = Secret("from-a-file")
        }
        #expect(
            result.configuration
                == AgentConfiguration(
                    log: LogConfiguration(level: .debug, format: .text), pidfile: "/folder/a.pid",
                    tunnels: [tunnel]))
    }

    @Test func linesForProgramsAreThereForThoseWhoAsk() {
        let result = read(.cli, Self.cli + ["-log-pretty=false"])
        #expect(result.configuration?.log == LogConfiguration())
    }

    @Test func theTunnelsURLBringsBasePathAndCredentials() throws {
        let result = read(
            .cli,
            ["-tunnel=wss://user:p%40ss@wstun.example.com/wstunnel/?a=b#c", "-server", "http://localhost/"],
            secrets: ["WSTUNNEL_TOKEN": Self.token])
        #expect(result.errors == [])
        #expect(result.warnings.contains("-tunnel: the query or fragment behind the path is left out"))
        let tunnel = try Self.tunnel {
            $0.tunnel = TunnelURL(
                isSecure: true, host: "wstun.example.com", port: 443, basePath: "/wstunnel",
                credentials: BasicCredentials(user: "user", password: Secret("p@ss")))
        }
        #expect(result.configuration?.tunnels == [tunnel])
    }

    @Test func aProxyOfTheEnvironmentCountsUnlessAFlagSaysOtherwise() {
        let machine = StillMachine(environment: ["https_proxy": "http://env:3128"])
        #expect(
            read(.cli, Self.cli, machine).configuration?.tunnels[0].proxy == ProxyURL(host: "env", port: 3128)
        )
        let flag = read(.cli, Self.cli + ["-proxy", "flag"], machine)
        #expect(flag.configuration?.tunnels[0].proxy == ProxyURL(host: "flag"))
        let secure = read(.cli, Self.cli + ["-proxy", "https://flag:3128"], machine)
        #expect(secure.configuration?.tunnels[0].proxy == ProxyURL(host: "flag", port: 3128))
        #expect(secure.warnings.contains { $0.hasPrefix("-proxy: https:// is taken for http://") })
        let none = read(.cli, Self.cli + ["-proxy", "none"], machine)
        #expect(none.configuration?.tunnels.count == 1)
        #expect(none.configuration?.tunnels.first?.proxy == nil)
        let empty = read(.cli, Self.cli + ["-proxy", ""], machine)
        #expect(empty.configuration?.tunnels[0].proxy == ProxyURL(host: "env", port: 3128))
    }

    @Test(arguments: [
        ("trace", LogConfiguration.Level.trace), ("debug", .debug), ("DEBUG", .debug), ("dbug", .debug),
        ("info", .info), ("warn", .warning), ("warning", .warning), ("error", .error), ("eror", .error),
        ("crit", .error), ("", .info),
    ]) func levelsHaveTheGoProgramsNames(_ word: String, _ level: LogConfiguration.Level) {
        #expect(read(.srv, ["-log-level", word]).configuration?.log.level == level)
    }

    @Test(arguments: [
        (["-wstimeout", "1"], "-wstimeout: 1 is not from 3 to 600; 3 is taken"),
        (["-wstimeout", "9999"], "-wstimeout: 9999 is not from 3 to 600; 600 is taken"),
        (
            ["-max-requests-per-tunnel", "0"],
            "-max-requests-per-tunnel: 0 is no limit; the default of 20 is taken"
        ),
        (
            ["-max-requests-per-tunnel", "99999"],
            "-max-requests-per-tunnel: 99999 is not from 1 to 32000; 32000 is taken"
        ),
        (["-max-clients-per-token", "-5"], "-max-clients-per-token: -5 is not from 0 to 10000; 0 is taken"),
        (["-httptimeout", "0"], "-httptimeout: 0 is not from 1 to 86400; 1 is taken"),
        (["-robowhois", "x"], "-robowhois: the service is gone; the flag is ignored"),
        (
            ["-syslog=wstunsrv"],
            "-syslog: \"wstunsrv\" is no facility; daemon is taken — write one such as daemon, user or local0"
        ),
        (
            ["-syslog", "deamon"],
            "-syslog: \"deamon\" is no facility; daemon is taken — did you mean \"daemon\"?"
        ),
        (["-passwords", ""], "-passwords is empty, so it gives no passwords"),
        (["-passwords-file="], "-passwords-file is empty, so it gives no passwords"),
        (
            ["-passwords", "token1:password1"],
            "-passwords, pair 1: no tunnel can use it, as its token is shorter than 16 characters"
        ),
        (
            ["-passwords", "token-number-0001:a,token-number-0001:b"],
            "-passwords, pair 2: the token stands there twice; the last password counts"
        ),
    ]) func whatTheGoProgramTookIsTakenWithAWarning(_ arguments: [String], _ warning: String) {
        let result = read(.srv, arguments)
        #expect(result.errors == [])
        #expect(result.warnings.contains(warning), "\(result.warnings)")
        #expect(result.configuration != nil)
    }

    @Test(arguments: [
        ("wstunsrv", SyslogFacility.daemon), ("LOCAL3", .local3), (" user ", .user), ("mail", .mail),
    ]) func aFacilityIsReadAsTheGoProgramDoes(_ word: String, _ facility: SyslogFacility) {
        #expect(read(.srv, ["-syslog", word]).configuration?.log.syslog == facility)
    }

    @Test(arguments: [
        ("wstunnel", "/wstunnel"), (" /wstunnel ", "/wstunnel"), ("/wstunnel//", "/wstunnel"), ("//", ""),
        ("/", ""),
        (" ", ""), ("//a/b/", "/a/b"), ("/my%20app", "/my%20app"),
    ]) func aBasePathIsReadAsTheGoProgramDoes(_ text: String, _ basePath: String) {
        #expect(read(.srv, ["-base-path", text]).configuration?.servers.first?.routes.basePath == basePath)
    }

    @Test(arguments: ["ws://h/_tunnel", "ws://h/_tunnel/", "ws://h/_tunnel?x"])
    func theEndpointThatIsAddedAnywayIsLeftOut(_ url: String) {
        let result = read(.cli, ["-tunnel", url, "-server", "http://h", "-token", "a-token-of-the-tests"])
        #expect(result.configuration?.tunnels.first?.tunnel.basePath == "")
        #expect(result.warnings.contains("-tunnel: /_tunnel is left out, it is added to the path anyway"))
    }

    @Test func clampedValuesAreTheOnesThatRun() throws {
        let server = try #require(
            read(.srv, ["-wstimeout", "1", "-max-requests-per-tunnel", "-1", "-max-clients-per-token", "-5"])
                .configuration?.servers.first)
        #expect(server.times.keepalive == .seconds(3))
        #expect(server.limits.waitingPerToken == 20)
        #expect(server.limits.clientsPerToken == nil)
        let twice = read(.srv, ["-passwords", "token-number-0001:a,token-number-0001:b"])
        #expect(
            twice.configuration?.servers.first?.trust.passwords
                == [try RendezvousToken("token-number-0001"): [Secret("b")]])
        let tunnel = read(.cli, Self.cli + ["-timeout", "1000", "-reconnect-delay", "0", "-max-retries=-1"])
        #expect(tunnel.configuration?.tunnels.first?.timeout == .seconds(600))
        #expect(tunnel.configuration?.tunnels.first?.longestRetryDelay == .seconds(1))
        #expect(tunnel.configuration?.tunnels.first?.maxRetries == .some(nil))
    }
}
