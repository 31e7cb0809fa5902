import Foundation
import Testing
import TunnelConfiguration

/// The commented reference, the JSON schema and the examples say what the code does.
@Suite struct ReferenceTests {
    private static let repository = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let reference = repository.appending(path: "config/tunnels.yaml")

    private static let examples: [String] = {
        let folder = repository.appending(path: "examples")
        let names = (try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".yaml") }.sorted()
    }()

    @Test func theReferenceIsAValidConfiguration() throws {
        let machine = Self.machine(folder: Self.reference.deletingLastPathComponent().path)
        machine.write(try String(contentsOf: Self.reference, encoding: .utf8), to: Self.reference.path)
        let report = loadConfiguration(at: Self.reference.path, from: machine)
        #expect(report.problems.map(\.description) == [])
        #expect(report.configuration?.tunnels.count == 3)
    }

    /// What is wrong with a copy of it is where its head says that something is to be changed.
    @Test func aCopyOfTheReferenceMissesWhatItsHeadNames() throws {
        let text = try String(contentsOf: Self.reference, encoding: .utf8)
        let machine = PretendMachine()
        machine.write(text, to: "/copy/tunnels.yaml")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let report = loadConfiguration(at: "/copy/tunnels.yaml", from: machine)
        #expect(!report.isValid)
        for problem in report.problems {
            let line = lines[try #require(problem.place).line - 1]
            let isNamed = [
                "${", "example.com", "-file", "-command", "certfile", "keyfile", "client-", "acme-",
                "include", "maintenance",
            ].contains {
                line.contains($0)
            }
            #expect(isNamed, "\(problem)")
        }
    }

    @Test(arguments: ["server/tunnels.yaml", "client/tunnels.yaml"])
    func filesToBeginWithNeedNothingButTwoSecrets(_ name: String) throws {
        let file = Self.repository.appending(path: "examples/\(name)")
        let machine = PretendMachine()
        machine.entries = [:]
        machine.write(try String(contentsOf: file, encoding: .utf8), to: "/w/tunnels.yaml")
        machine.write("token-of-the-beginning", to: "/w/web.token")
        machine.write("password", to: "/w/web.password")
        let report = loadConfiguration(at: "/w/tunnels.yaml", from: machine)
        #expect(report.problems.map(\.description) == [])
        #expect(report.configuration != nil)
    }

    @Test func theReferenceShowsEveryKeyAndNoOther() throws {
        let text = try String(contentsOf: Self.reference, encoding: .utf8)
        var shown: Set<String> = []
        for line in text.split(separator: "\n") {
            let content = line.drop { " -".contains($0) }
            guard !content.hasPrefix("#"), let colon = content.firstIndex(of: ":") else { continue }
            shown.insert(String(content[..<colon]))
        }
        let known = Set(ConfigurationSection.allCases.flatMap(\.keys).map(\.name))
        // Of three ways to write the password of a key one is shown.
        let twins = [
            "keyfile-password", "client-key-password", "value", "operate-token", "look-token",
        ].flatMap { [$0, "\($0)-command"] }
        #expect(shown == known.subtracting(twins))
    }

    /// Keys with a default stand in the reference with just that default.
    @Test(arguments: ConfigurationSection.allCases.flatMap(\.keys).filter { $0.defaultText != nil })
    func theReferenceShowsTheDefault(_ key: KeyDeclaration) throws {
        let text = try String(contentsOf: Self.reference, encoding: .utf8)
        let value = try #require(key.defaultText)
        let lines = text.split(separator: "\n").map { $0.drop { " -".contains($0) } }
        #expect(lines.contains { $0 == "\(key.name): \(value)" || $0 == "\(key.name): \"\(value)\"" })
    }

    /// The page beside it has a row for each key, with the same default.
    @Test func theReferencePageTellsOfEveryKey() throws {
        let lines = try [
            "config/README.md", "config/ACCESS.md", "config/TLS.md", "config/EVENTS.md",
        ].flatMap { path in
            try String(contentsOf: Self.repository.appending(path: path), encoding: .utf8).split(
                separator: "\n")
        }
        let rows = lines.filter { $0.hasPrefix("| `") }.map { $0.split(separator: "|").prefix(2) }
        let words = Set(
            lines.flatMap { $0.matches(of: /`([^`]+)`/) }.flatMap { $0.1.matches(of: /[\w-]+/) }.map(\.0))
        for section in ConfigurationSection.allCases {
            let prefixes: [ConfigurationSection: String] = [
                .log: "log.", .admin: "admin.", .loadShedding: "load-shedding.",
                .tracing: "tracing.",
                .history: "history.",
            ]
            let prefix = prefixes[section] ?? ""
            for key in section.keys {
                #expect(words.contains(key.name[...]), "\(section): \(key.name)")
                guard let value = key.defaultText, !value.isEmpty else { continue }
                let isTold = rows.contains { row in
                    row[0].contains("`\(prefix)\(key.name)`")
                        && (row[1].contains("`\(value)`") || row[1].contains("`\"\(value)\"`"))
                }
                #expect(isTold, "\(section): \(key.name), which is \(value) by default")
            }
        }
    }

    @Test func thereAreExamples() {
        #expect(Self.examples.contains("multi-tunnel/tunnels.yaml"))
        #expect(Self.examples.contains("server-with-passwords/tunnels.yaml"))
    }

    @Test(arguments: examples)
    func anExampleIsAValidConfiguration(_ name: String) throws {
        let file = Self.repository.appending(path: "examples/\(name)")
        let machine = Self.machine(folder: file.deletingLastPathComponent().path)
        machine.write(try String(contentsOf: file, encoding: .utf8), to: file.path)
        let report = loadConfiguration(at: file.path, from: machine)
        #expect(report.problems.map(\.description) == [])
        #expect(report.configuration != nil)
    }

    /// `WSTUNNEL_RECORD_FIXTURES=1` writes the file anew and fails.
    @Test func theSchemaIsMadeOfTheKeyTables() throws {
        let file = Self.repository.appending(path: "config/tunnels.schema.json")
        if FixtureTests.isRecording {
            try ConfigurationSchema.json.write(to: file, atomically: true, encoding: .utf8)
            Issue.record("recorded \(file.lastPathComponent)")
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == ConfigurationSchema.json)
    }

    @Test func theSchemaHasTheKeysOfTheCode() throws {
        for section in ConfigurationSection.allCases {
            let properties = try Self.properties(of: section)
            #expect(Set(properties.keys) == Set(section.keys.map(\.name)), "\(section)")
        }
    }

    @Test(arguments: ConfigurationSection.allCases)
    func theSchemaHasTheDefaultsAndRangesOfTheCode(_ section: ConfigurationSection) throws {
        let properties = try Self.properties(of: section)
        for key in section.keys {
            let property = try #require(properties[key.name] as? [String: Any])
            #expect(property["description"] as? String == key.meaning, "\(key.name)")
            #expect(
                property["default"].map { Self.text(of: $0, key.shape) } == key.defaultText, "\(key.name)")
            let alternatives = (property["anyOf"] as? [[String: Any]]) ?? []
            switch key.shape {
            case .integer(let range):
                #expect(alternatives.first?["minimum"] as? Int == range.lowerBound, "\(key.name)")
                #expect(alternatives.first?["maximum"] as? Int == range.upperBound, "\(key.name)")
            case .choice(let choices): #expect(alternatives.first?["enum"] as? [String] == choices)
            case .boolean: #expect(alternatives.first?["type"] as? String == "boolean")
            case .duration: #expect(property["$ref"] as? String == "#/$defs/duration")
            case .command: #expect(property["$ref"] as? String == "#/$defs/command")
            case .byteCount: #expect(property["$ref"] as? String == "#/$defs/size")
            case .list, .secrets, .addresses: #expect(property["type"] as? String == "array")
            case .ports, .patterns, .texts, .urls:
                #expect(alternatives.compactMap { $0["type"] as? String }.contains("array"))
            case .mapping: #expect(property["$ref"] != nil)
            case .fields: #expect(property["type"] as? String == "object")
            case .switchOrMapping(let section):
                #expect(alternatives.contains { $0["$ref"] as? String == "#/$defs/\(section)" })
            case .text, .name, .secret, .path, .url, .regexp:
                #expect(property["$ref"] as? String == "#/$defs/text", "\(key.name)")
            }
        }
    }

    @Test func theSchemaRefusesOtherKeys() throws {
        let schema = try Self.schema()
        let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
        #expect(schema["additionalProperties"] as? Bool == false)
        for name in [
            "included", "log", "admin", "defaults", "tls", "certificate", "passwordEntry", "hostEntry",
            "originTLS", "serverInnerTLS", "tunnelInnerTLS", "callers", "callerHeaders", "fieldChanges",
            "maintenance", "limits", "addressLimits", "requestLimits", "ban", "health", "tracing",
            "tracingHeader",
        ] {
            #expect(definitions[name]?["additionalProperties"] as? Bool == false, "\(name)")
        }
        for name in ["server", "tunnel"] {
            #expect(definitions[name]?["unevaluatedProperties"] as? Bool == false, "\(name)")
            #expect(definitions[name]?["required"] as? [String] == ["name"])
        }
    }

    private static func schema() throws -> [String: Any] {
        let file = repository.appending(path: "config/tunnels.schema.json")
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        return try #require(json as? [String: Any])
    }

    private static func properties(of section: ConfigurationSection) throws -> [String: Any] {
        let schema = try schema()
        let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
        func properties(_ name: String) -> [String: Any] {
            definitions[name]?["properties"] as? [String: Any] ?? [:]
        }
        switch section {
        case .root: return schema["properties"] as? [String: Any] ?? [:]
        case .server, .tunnel:
            return properties("\(section)").merging(properties("\(section)Keys")) { first, _ in first }
        default: return properties("\(section)")
        }
    }

    private static func text(of value: Any, _ shape: ValueShape) -> String {
        if case .boolean = shape { return (value as? Bool).map { "\($0)" } ?? "" }
        return (value as? String) ?? (value as? Int).map { "\($0)" } ?? ""
    }

    /// Has whatever a configuration in the folder asks for.
    private static func machine(folder: String) -> PretendMachine {
        let machine = PretendMachine()
        for (name, content) in [
            ("example.token", "a-token-of-the-tests"), ("other.token", "another-token-of-the-tests"),
            ("other.password", "password"), ("third.password", "password"),
            ("blog.token", "token-of-the-blog"), ("web.token", "token-of-a-file-y"),
            ("web.password", "password"),
            ("admin.token", "token-of-the-admin"), ("operate.token", "token-of-the-operator"),
            ("look.token", "token-of-who-looks"), ("conf.d/none.txt", ""),
            ("passwords.txt", "token-of-a-file-x:password"), ("ca.pem", PretendMachine.certificate),
            ("tls/cert.pem", PretendMachine.certificate), ("tls/key.pem", PretendMachine.key),
            ("tls/clients.pem", PretendMachine.certificate), ("tls/key.password", "password"),
            ("tls/apps.pem", PretendMachine.certificate), ("tls/apps.key", PretendMachine.key),
            ("tls/edge.pem", PretendMachine.certificate), ("tls/edge.key", PretendMachine.key),
            ("collector.key", "key-of-the-collector"), ("collector-ca.pem", PretendMachine.certificate),
            ("acme/x", ""), ("allowed.txt", "198.51.100.0/24"), ("denied.txt", "192.0.2.66"),
            ("maintenance.html", "<h1>Back soon</h1>"), ("bearers.txt", "secret-of-the-tests"),
            ("webhook.secret", "secret-of-a-webhook-1"),
            (
                "users.txt",
                "carol:$2y$10$abcdefghijklmnopqrstuugZw0e/b5r1sdG/3LSl4QiQiC2VrNNoC"
            ),
        ] { machine.write(content, to: "\(folder)/\(name)") }
        machine.write("token-of-the-billing", to: "/run/credentials/billing-token")
        machine.write("password", to: "/run/credentials/billing-password")
        let live = "/etc/letsencrypt/live/tunnel.example.com"
        machine.write(PretendMachine.certificate, to: "\(live)/fullchain.pem")
        machine.write(PretendMachine.key, to: "\(live)/privkey.pem")
        machine.entries["/var/lib/wstunnel/acme"] = .folder
        machine.entries[folder] = .folder
        machine.entries["/usr/share"] = .folder
        machine.commands[["cat", "other.token"]] = .success("one-more-token-of-the-tests")
        machine.commands[["cat", "other.password"]] = .success("password")
        machine.commands[["cat", "other.bearer"]] = .success("secret-of-a-command")
        machine.commands[["cat", "chat.secret"]] = .success("secret-of-a-webhook-2")
        machine.commands[["pass", "show", "tunnels/intranet"]] = .success("password")
        machine.environment = [
            "EXAMPLE_TOKEN": "token-of-the-environment", "EDGE_TOKEN": "token-of-the-edge-machines",
            "THIRD_TOKEN": "third-token-of-the-environment",
            "EXAMPLE_PASSWORD": "one", "EXAMPLE_BEARER": "secret-of-the-environment",
            "EXAMPLE_HASH": "$2y$10$abcdefghijklmnopqrstuugZw0e/b5r1sdG/3LSl4QiQiC2VrNNoC",
            "FOURTH_TOKEN": "fourth-token-of-the-environment", "NEW_PASSWORD": "two", "OLD_PASSWORD": "three",
            "INTRANET_TOKEN": "token-of-the-intranet", "CREDENTIALS_DIRECTORY": "/run/credentials",
            "WEB_TOKEN": "token-of-the-web", "SHOP_TOKEN": "token-of-the-shop", "SHOP_PASSWORD_NEW": "new",
            "SHOP_PASSWORD_OLD": "old",
        ]
        return machine
    }
}
