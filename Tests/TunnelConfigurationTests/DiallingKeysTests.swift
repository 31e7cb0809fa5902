import Testing
import TunnelConfiguration

/// `client-ports` and the other keys of how a tunnel dials.
@Suite struct DiallingKeysTests {
    private func read(_ keys: String) -> ConfigurationReport {
        let machine = PretendMachine()
        machine.entries["/run"] = .folder
        machine.write(
            """
            tunnels:
              - { name: web, tunnel: "ws://h", server: builtin:echo, token: a-token-of-the-tests, \(keys) }
            """, to: "/etc/tunnels.yaml")
        return loadConfiguration(at: "/etc/tunnels.yaml", from: machine)
    }

    @Test(arguments: [
        ("8000", [8000...8000]), ("8000..8100", [8000...8100]),
        ("\"8000..8100,8300\"", [8000...8100, 8300...8300]),
        ("\" 1 .. 2 , 65535 \"", [1...2, 65_535...65_535]),
        ("[8300, 8000..8100]", [8300...8300, 8000...8100]),
        ("[\"1,2\", 3]", [1...1, 2...2, 3...3]), ("7..7", [7...7]),
    ]) func portsAreReadInTheirOrder(_ text: String, _ ports: [ClosedRange<Int>]) {
        let report = read("client-ports: \(text)")
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.configuration?.tunnels.first?.clientPorts == ports)
    }

    @Test(arguments: [
        ("8100..8000", "the range \"8100..8000\" is upside down", "write 8000..8100"),
        ("0", "port 0 is out of range", "write ports from 1 to 65535, or leave them out for any port"),
        ("\"0..5\"", "port 0 is out of range", "write ports from 1 to 65535, or leave them out for any port"),
        (
            "65536", "\"65536\" is out of range",
            "write ports from 1 to 65535, or leave them out for any port"
        ),
        ("99999999999999999999", "\"99999999999999999999\" is out of range", "write ports from 1"),
        ("\"1,,2\"", "\"\" is no port or range of ports", "write them like 8000..8100,8300"),
        ("\"80-90\"", "\"80-90\" is no port or range of ports", "write them like 8000..8100,8300"),
        ("\"1..2..3\"", "\"1..2..3\" is no port or range of ports", "write them like"),
        ("\"..\"", "\"..\" is no port or range of ports", "write them like"),
        ("[]", "the list is empty", "give ports"),
        ("{}", "expected one value, got a mapping", "write the value alone"),
    ]) func badPortsAreAClearError(_ text: String, _ message: String, _ advice: String) {
        let report = read("client-ports: \(text)")
        #expect(report.configuration == nil)
        #expect(report.problems.map(\.message) == [message])
        #expect(report.problems.first?.path == "tunnels[web].client-ports")
        #expect(report.problems.first?.advice?.hasPrefix(advice) == true)
    }

    @Test func absentMeansAnyPortForEver() throws {
        let tunnel = try #require(read("timeout: 30").configuration?.tunnels.first)
        #expect(tunnel.clientPorts == [])
        #expect(tunnel.statusFile == nil)
        #expect(tunnel.longestRetryDelay == .seconds(30))
        #expect(tunnel.maxRetries == nil)
    }

    @Test(
        arguments: [("timeout: 30", .auto), ("protocol: auto", .auto), ("protocol: v1", .v1)]
            as [(String, TunnelClientConfiguration.ProtocolChoice)])
    func theOldProtocolIsAChoice(_ keys: String, _ choice: TunnelClientConfiguration.ProtocolChoice) {
        let report = read(keys)
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.configuration?.tunnels.first?.protocol == choice)
    }

    @Test(arguments: ["v2", "1", "V1", ""]) func anotherProtocolIsAClearError(_ text: String) {
        let report = read("protocol: \"\(text)\"")
        #expect(report.configuration == nil)
        #expect(report.problems.first?.path == "tunnels[web].protocol")
        #expect(
            report.problems.first?.message.contains("auto, v1") == true
                || report.problems.first?.advice?.contains("v1") == true)
    }

    @Test func statusFileAndRetriesAreRead() throws {
        let report = read("statusfile: /run/web.status, reconnect-delay: 5, max-retries: 7")
        let tunnel = try #require(report.configuration?.tunnels.first)
        #expect(tunnel.statusFile == "/run/web.status")
        #expect(tunnel.longestRetryDelay == .seconds(5))
        #expect(tunnel.maxRetries == 7)
        #expect(read("max-retries: 0").configuration?.tunnels.first?.maxRetries == .some(nil))
        #expect(read("statusfile: /nowhere/x").problems.map(\.path) == ["tunnels[web].statusfile"])
        #expect(read("reconnect-delay: 0").problems.map(\.path) == ["tunnels[web].reconnect-delay"])
        #expect(read("max-retries: -1").problems.map(\.path) == ["tunnels[web].max-retries"])
    }

    @Test func everySyslogFacilityHasItsNumber() {
        #expect(
            SyslogFacility.allCases.map(\.code) == Array(0...11) + Array(16...23))
        for facility in SyslogFacility.allCases {
            let machine = PretendMachine()
            machine.write(
                "log: { syslog: \(facility.rawValue) }\nservers: [{ name: a, port: 0 }]", to: "/c")
            #expect(loadConfiguration(at: "/c", from: machine).configuration?.log.syslog == facility)
        }
    }

    @Test func anUnknownFacilityIsAnError() {
        let machine = PretendMachine()
        machine.write("log: { syslog: deamon }\nservers: [{ name: a, port: 0 }]", to: "/c")
        let report = loadConfiguration(at: "/c", from: machine)
        #expect(report.problems.map(\.advice) == ["did you mean \"daemon\"?"])
    }
}
