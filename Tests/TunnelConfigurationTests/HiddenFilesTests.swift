import Testing
import TunnelConfiguration

/// `hidden-files`.
@Suite struct HiddenFilesTests {
    private func read(_ keys: String, defaults: String = "{}") -> ConfigurationReport {
        let machine = PretendMachine()
        machine.entries["/srv/www"] = .folder
        machine.write(
            """
            defaults: { tunnel: \(defaults) }
            tunnels:
              - { name: web, tunnel: "ws://h", token: a-token-of-the-tests, \(keys) }
            """, to: "/etc/tunnels.yaml")
        return loadConfiguration(at: "/etc/tunnels.yaml", from: machine)
    }

    @Test(arguments: [
        ("server: \"file:///srv/www\"", false), ("server: \"file:///srv/www\", hidden-files: true", true),
        ("server: \"file:///srv/www\", hidden-files: false", false), ("server: builtin:echo", false),
    ]) func theyAreServedOnlyIfAskedFor(_ keys: String, _ expected: Bool) {
        let report = read(keys)
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.configuration?.tunnels.first?.servesHiddenFiles == expected)
    }

    @Test(arguments: ["server: \"http://localhost\"", "server: builtin:echo", "regexp: 'http://x'"])
    func whereNoFolderIsServedThatIsAWarning(_ origin: String) {
        let report = read("\(origin), hidden-files: true")
        #expect(report.configuration != nil)
        #expect(report.problems.map(\.path) == ["tunnels[web].hidden-files"])
        #expect(
            report.problems.map(\.message)
                == ["\"hidden-files\" has no effect: \"server\" is no file:///folder"])
        let byDefault = read(origin, defaults: "{ hidden-files: true }")
        #expect(byDefault.problems.isEmpty, "what all take over need not concern each: \(byDefault.problems)")
    }

    @Test func keysOfOthersLeadThere() {
        let report = read("server: \"file:///srv/www\", dotfiles: true")
        #expect(
            report.problems.map(\.advice) == ["hidden-files: true serves files whose names begin with a dot"])
    }
}
