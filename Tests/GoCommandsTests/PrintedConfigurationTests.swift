import GoCommands
import TestSupport
import Testing
import TunnelConfiguration

/// What `-print-config` prints loads to what the command line runs.
@Suite struct PrintedConfigurationTests {
    private static let cli = ["-tunnel", "ws://h", "-server", "http://localhost"]

    /// Reads the printed text as a file of its own, with nothing but the variables that it names.
    private static func reload(
        _ plan: CommandPlan, _ machine: StillMachine
    ) -> ConfigurationReport {
        var machine = machine
        machine.files["/elsewhere/tunnels.yaml"] = plan.text
        machine.environment.merge(plan.variables) { $1 }
        return loadConfiguration(at: "/elsewhere/tunnels.yaml", from: machine)
    }

    private static func expectRoundTrip(
        _ command: GoCommand, _ arguments: [String], secrets: [String: String] = [:],
        _ machine: StillMachine = StillMachine()
    ) throws {
        let result = read(command, arguments, secrets: secrets, machine)
        let plan = try #require(result.plan)
        #expect(result.errors == [], "\(arguments)")
        #expect(result.configuration != nil)
        let report = reload(plan, machine)
        #expect(report.errorCount == 0, "\(report.problems)\n\(plan.text)")
        #expect(report.configuration == result.configuration, "\(plan.text)")
        for secret in plan.variables.values where secret.count > 3 {
            #expect(!plan.text.contains(secret), "\(plan.text)")
        }
        for name in plan.variables.keys { #expect(plan.text.contains("# Set \(name): ")) }
    }

    @Test(arguments: [
        [], ["-port", "8080"], ["-port", "0x50", "-host", "::1", "-base-path", "/a/b"],
        ["-syslog", "daemon"],
        ["-logfile", "/var/log/a \"b\" 'c' \\d #e $f ${g} $${h} é 😀.log"],
        ["-pidfile", "/run/%: {x}, [y] & *z !w"],
        ["-logfile", "/var/log/ leading and trailing "],
        ["-logfile", "- x", "-log-pretty", "-log-level", "trace"],
        ["-logfile", "/var/log/\u{a0}\u{2028}\u{feff}\u{85}\u{200b}\u{10ffff}"],
        ["-passwords", "token-number-0001:p\"'\\#$${x}${,token-number-0002:é😀:${HOME} # x"],
        ["-passwords", "token-\"'\\#$${x}${-1:a", "-wstimeout", "3", "-httptimeout", "5"],
        ["-max-requests-per-tunnel", "32000", "-max-clients-per-token", "10000"],
    ]) func aServerComesBack(_ arguments: [String]) throws {
        try Self.expectRoundTrip(.srv, arguments)
    }

    @Test(arguments: [
        ["-token", "my_b!g_$secret!!"], ["-token", "my_b!g_$secret!!:mypassword"],
        ["-token", "quotes\"'\\`#%&*{}:${HOME}$${x} # é 😀"], ["-token", "yes-no-null-~-0000"],
        ["-token", "0123456789012345"], ["-token", "0123456789012345:1e9", "-insecure"],
        ["-token", "a-token-of-the-tests", "-regexp", "https://(a|b)\\.c\\.d[0-9]{1,3}", "-insecure=false"],
        ["-token", "a-token-of-the-tests", "-proxy", "none"],
        ["-token", "a-token-of-the-tests", "-proxy", "u:p%20@h:1"],
        ["-token", "a-token-of-the-tests", "-proxy", "http://${x}:$${y}@[::1]:3128/"],
        ["-token", "a-token-of-the-tests", "-tunnel", "wss://u:long-password@h:1/b?x"],
        ["-token", "a-token-of-the-tests", "-server", "file:///folder", "-client-ports", "1..2,3"],
        [
            "-token", "a-token-of-the-tests", "-statusfile", "/run/$x ${y}", "-max-retries", "3", "-timeout",
            "5",
        ],
        ["-token", "a-token-of-the-tests", "-password-prompt"],
        ["-token-file", "t", "-password-file", "p \"${x}\""],
    ]) func aTunnelComesBack(_ arguments: [String]) throws {
        var machine = StillMachine(
            environment: ["HOME": "wrong", "x": "wrong", "y": "wrong"])
        machine.files["/folder/t"] = "token-out-of-a-file\n"
        machine.files["/folder/p \"${x}\""] = "password"
        let result = read(.cli, Self.cli + arguments, machine)
        guard var plan = result.plan, plan.needsPassword else {
            return try Self.expectRoundTrip(.cli, Self.cli + arguments, machine)
        }
        plan.set(password: "typed")
        #expect(plan.text.contains("password: \"${WSTUNNEL_PASSWORD}\""))
        let report = Self.reload(plan, machine)
        #expect(report.configuration?.tunnels.first?.password == Secret("typed"))
        #expect(report.configuration == plan.load(from: machine).configuration)
    }

    @Test func secretsOfTheEnvironmentComeBack() throws {
        try Self.expectRoundTrip(
            .cli, Self.cli,
            secrets: ["WSTUNNEL_TOKEN": "a-token-of-the-tests", "WSTUNNEL_PASSWORD": "${x}\"\\"])
        try Self.expectRoundTrip(.srv, [], secrets: ["WSTUNNEL_PASSWORDS": "token-number-0001:secret-1"])
    }

    @Test(arguments: 0..<200) func anyTextComesBackAsAPath(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let pieces = [
            "$", "{", "}", "${", "$${", "\"", "'", "\\", "#", ":", " ", "- ", ",", "&a", "*a", "!!int ", "|",
            ">", "%", "@",
            "`", "é", "😀", "\u{2029}", "\u{85}", "x", "0", "~", "?", "[", "]", "<<",
        ]
        let text = (0..<12).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
        let result = read(.srv, ["-pidfile", "/run/x" + text.filter { $0 != "/" }])
        try #require(result.errors == [], "seed \(seed): \(text)")
        #expect(result.configuration?.pidfile == "/run/x" + text, "seed \(seed)")
        let plan = try #require(result.plan)
        #expect(Self.reload(plan, StillMachine()).configuration == result.configuration, "seed \(seed)")
    }
}
