import Testing
import TunnelProtocol

@testable import TunnelConfiguration

/// What `include` adds to a configuration, and what of it is watched.
@Suite(.timeLimit(.minutes(1)))
struct IncludeTests {
    private static let entry = "server: builtin:echo, tunnel: \"ws://h\", token: a-token-of-the-tests"

    private func load(
        _ text: String, _ files: [String: String] = [:], _ machine: PretendMachine = PretendMachine(),
        isOffline: Bool = false
    ) -> ConfigurationReport {
        machine.write(text, to: "/etc/w/tunnels.yaml")
        for (path, text) in files { machine.write(text, to: path) }
        return loadConfiguration(
            at: "/etc/w/tunnels.yaml", from: machine, options: LoadingOptions(isOffline: isOffline))
    }

    private static func tunnel(_ name: String) -> String { "tunnels: [{ name: \(name), \(entry) }]" }

    @Test func entriesFollowThoseOfTheMainFileInTheOrderOfTheIncludes() {
        let report = load(
            "include: [z.yaml, conf.d/*.yaml]\n" + Self.tunnel("main"),
            [
                "/etc/w/z.yaml": Self.tunnel("z"), "/etc/w/conf.d/b.yaml": Self.tunnel("b"),
                "/etc/w/conf.d/a.yaml": "include: more/x.yaml\n" + Self.tunnel("a"),
                "/etc/w/conf.d/more/x.yaml": Self.tunnel("x"),
                "/etc/w/conf.d/.hidden.yaml": "{{{", "/etc/w/conf.d/c.yml": "{{{",
                "/etc/w/conf.d/folder.yaml/x": "{{{",
            ])
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.configuration?.tunnels.map(\.name) == ["main", "z", "a", "x", "b"])
    }

    @Test func relativePathsStartAtTheFolderOfTheirFileAndThoseOfDefaultsAtTheMainFiles() throws {
        let machine = PretendMachine()
        machine.commands[["/etc/w/conf.d/bin/p"]] = .success("of-a-command")
        let report = load(
            """
            include: conf.d/a.yaml
            defaults: { tunnel: { token-file: t, certfile: ca.pem } }
            """,
            [
                "/etc/w/t": "token-of-the-main-folder", "/etc/w/conf.d/t": "token-of-the-other-folder",
                "/etc/w/ca.pem": PretendMachine.certificate,
                "/etc/w/conf.d/ca.pem": PretendMachine.certificate,
                "/etc/w/conf.d/a.yaml": """
                tunnels:
                  - { name: a, tunnel: "ws://h", server: "builtin:echo", password-command: [bin/p] }
                  - { name: b, tunnel: "ws://h", server: "builtin:echo", token-file: t, certfile: ca.pem, statusfile: s }
                """,
            ], machine)
        let tunnels = try #require(report.configuration?.tunnels, "\(report.problems)")
        #expect(tunnels.map(\.token.secret) == ["token-of-the-main-folder", "token-of-the-other-folder"])
        #expect(tunnels.map(\.trust.certificates?.path) == ["/etc/w/ca.pem", "/etc/w/conf.d/ca.pem"])
        #expect(tunnels.map(\.password) == [Secret("of-a-command"), nil])
        #expect(tunnels[1].statusFile == "/etc/w/conf.d/s")
    }

    @Test func whoCanReadAFileIsAskedOfEachFile() {
        let machine = PretendMachine()
        machine.write(Self.tunnel("open"), to: "/etc/w/open.yaml", isWorldReadable: true)
        machine.write(
            "include: [open.yaml, closed.yaml]\n" + Self.tunnel("main"), to: "/etc/w/tunnels.yaml")
        machine.write(Self.tunnel("closed"), to: "/etc/w/closed.yaml")
        let report = loadConfiguration(at: "/etc/w/tunnels.yaml", from: machine)
        #expect(report.problems.map(\.file) == ["/etc/w/open.yaml"])
        #expect(report.problems.map(\.path) == ["tunnels[open].token"])
        #expect(report.problems.first?.excerpt?.line.contains("***") == true)
    }

    @Test func offlineIncludedFilesAreNotRead() {
        let machine = PretendMachine()
        let report = load(
            "include: [conf.d/*.yaml, none.yaml]", ["/etc/w/conf.d/a.yaml": "{"], machine,
            isOffline: true)
        #expect(report.problems.isEmpty)
        #expect(machine.questions == ["file /etc/w/tunnels.yaml"])
        #expect(load("include: '[a'", isOffline: true).errorCount == 1)
    }

    @Test func whatMatchesNothingIsAValidConfigurationOfNothing() {
        let machine = PretendMachine()
        machine.entries["/etc/w/conf.d"] = .folder
        let report = load("include: conf.d/*.yaml", [:], machine)
        #expect(report.problems.isEmpty)
        #expect(report.configuration == AgentConfiguration())
        // A folder that is not there may be a misspelt one.
        #expect(load("include: confd/*.yaml").warningCount == 1)
    }

    @Test func whatCannotBeReadIsAnError() {
        let machine = PretendMachine()
        machine.entries["/etc/w/locked"] = .locked
        machine.entries["/etc/w/conf.d/locked.yaml"] = .locked
        machine.write("", to: "/etc/w/conf.d/line\nbreak.yaml")
        let report = load("include: [locked/*.yaml, conf.d/*.yaml]", [:], machine)
        #expect(
            report.problems.map(\.message) == [
                "cannot look into \"/etc/w/locked\": permission denied",
                "the name of a file in \"/etc/w/conf.d\" holds a control character",
                "cannot read \"/etc/w/conf.d/locked.yaml\": permission denied",
            ])
        #expect(report.configuration == nil)
    }

    @Test func thereAreAtMostAThousandFiles() {
        let machine = PretendMachine()
        for number in 0..<1000 { machine.write(Self.tunnel("t\(number)"), to: "/etc/w/c/\(number).yaml") }
        #expect(load("include: c/*.yaml", [:], machine).configuration?.tunnels.count == 1000)
        let report = load("include: c/*.yaml", ["/etc/w/c/x.yaml": ""], machine)
        #expect(report.problems.map(\.message) == ["more than 1000 files are included"])
    }

    @Test func aFileHasAtMostTenMebibytes() {
        let machine = PretendMachine()
        machine.entries["/etc/w/a.yaml"] = .file(
            Array(repeating: UInt8(ascii: " "), count: 10 * 1024 * 1024 + 1), isWorldReadable: false)
        #expect(
            load("include: a.yaml", [:], machine).problems.map(\.message) == [
                "\"/etc/w/a.yaml\" is longer than 10 MiB"
            ])
    }

    @Test(arguments: [(6, true), (5, false)])
    func allFilesTogetherAreBounded(_ left: Int, _ isGood: Bool) throws {
        let machine = PretendMachine()
        machine.write("# a", to: "a.yaml")
        machine.write("# b", to: "b.yaml")
        let pass = LoadingPass(source: machine, options: LoadingOptions())
        var documents = ConfigurationDocuments()
        let text = ConfigurationFile(bytes: Array("include: '*.yaml'".utf8), isWorldReadable: false)
        let root = try #require(documents.parse(text, SourceFile(path: "main"), pass).root)
        let main = try #require(MappingReader(root, .root, pass: pass))
        var walk = IncludeWalk(pass: pass, documents: documents, size: 64 * 1024 * 1024 - left)
        walk.follow(main: main)
        #expect(
            pass.problems.map(\.message) == (isGood ? [] : ["the files are longer than 64 MiB in all"]))
    }

    @Test func aFileUnderTwoNamesIsReadOnce() {
        let machine = PretendMachine()
        let report = load(
            "include: [c/a.yaml, c/../c/a.yaml, c/b.yaml]",
            ["/etc/w/c/a.yaml": Self.tunnel("a"), "/etc/w/c/b.yaml": "include: ../c/a.yaml"], machine)
        #expect(report.problems.isEmpty)
        #expect(report.configuration?.tunnels.count == 1)
        #expect(
            load("include: c/../tunnels.yaml").problems.map(\.message) == [
                "\"/etc/w/c/../tunnels.yaml\" includes itself (/etc/w/tunnels.yaml → /etc/w/c/../tunnels.yaml)"
            ])
    }

    @Test func foldersAreBounded() {
        let machine = PretendMachine()
        for number in 0..<1000 { machine.entries["/etc/w/\(number)"] = .folder }
        #expect(
            load("include: '*/*.yaml'", [:], machine).problems.map(\.message) == [
                "the patterns look into more than 1000 folders"
            ])
    }

    @Test func everyFileAndFolderIsTold() {
        let machine = PretendMachine()
        machine.commands[["p"]] = .success("x")
        machine.entries["/etc/w/conf.d/locked.yaml"] = .locked
        let report = load(
            """
            include: [conf.d/*.yaml, none.yaml, "conf.d/[a-z].yaml", gone/*]
            servers: [{ name: a, passwords-file: passwords.txt }]
            tunnels:
              - { name: b, tunnel: "ws://h", server: "builtin:echo", token-file: t, password-command: [p], certfile: c }
              - { name: c, tunnel: "ws://h", server: "file:///srv", token-file: t }
              - { name: d, enabled: false, tunnel: "ws://h", server: "file:///srv", token-file: off }
            """, ["/etc/w/conf.d/a.yaml": "tunnels: ["], machine)
        #expect(!report.isValid)
        #expect(
            report.sources.files
                == [
                    "tunnels.yaml", "conf.d/a.yaml", "conf.d/locked.yaml", "none.yaml", "passwords.txt", "c",
                    "t",
                ].map { "/etc/w/\($0)" })
        #expect(report.sources.folders == ["/etc/w/conf.d", "/etc/w/gone"])
        #expect(
            loadConfiguration(at: "none", from: PretendMachine()).sources
                == ConfigurationSources(files: ["none"]))
    }

    @Test func aFileInTheWorkingFolderLooksThere() {
        let machine = PretendMachine()
        machine.write("include: ['*.yml', ./c/./*.yml]", to: "tunnels.yaml")
        machine.write(Self.tunnel("a"), to: "a.yml")
        machine.write("tunnels: [{ name: a }]", to: "c/b.yml")
        let report = loadConfiguration(at: "tunnels.yaml", from: machine)
        #expect(report.sources.folders == [".", "c"])
        #expect(
            report.problems.map(\.description).last
                == "c/b.yml:1:19: tunnels[a].name: \"a\" is already the name of the tunnel at a.yml:1:19 "
                + "— give each tunnel a name of its own")
    }
}
