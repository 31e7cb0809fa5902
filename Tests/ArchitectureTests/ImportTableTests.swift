import Testing

/// What each module may import: the tiers of Sources/README.md, from rules (nothing outside but bytes) to
/// composition. An import that is not here is a decision about the architecture: make it there first.
private let importTable: [String: Set<String>] = [
    // Rules: no clock, file, socket, task or log.
    "CLibYAML": [],
    "CMalloc": [],
    "CArgon2": [],
    "CCrypt": [],
    "CZlib": [],
    "CSQLite": [],
    "YAMLDocument": ["CLibYAML"],
    "LinearRegex": [],
    "X509": [],
    "ProxyProtocol": ["X509", "struct NIOCore.ByteBuffer"],
    "HTTPMessage": ["struct NIOCore.ByteBuffer"],
    "TunnelProtocol": ["DequeModule", "HTTPMessage", "struct NIOCore.ByteBuffer"],
    "TunnelConfiguration": [
        "AgentStatus", "HTTPMessage", "LinearRegex", "ProxyProtocol", "TunnelProtocol", "X509",
        "YAMLDocument",
    ],
    "AgentStatus": ["HTTPMessage"],
    "Reconciliation": ["AgentStatus", "TunnelConfiguration", "TunnelProtocol"],
    "GoCommands": ["TunnelConfiguration", "TunnelProtocol"],
    "Routing": [
        "DequeModule", "HTTPMessage", "TunnelConfiguration", "TunnelProtocol", "X509",
        "struct NIOCore.ByteBuffer",
    ],

    // Edges: each talks to one outside thing.
    "HostSystem": [
        "CMalloc", "DequeModule", "Glibc", "HTTPMessage", "NIOCore", "Synchronization", "SystemPackage",
        "TunnelConfiguration",
    ],
    "Observability": [
        "AgentStatus", "DequeModule", "Glibc", "HTTPMessage", "HostSystem", "Logging", "Synchronization",
        "SystemPackage",
    ],
    "PasswordHashing": ["CArgon2", "CCrypt", "Glibc", "TunnelConfiguration"],
    "History": [
        "AgentStatus", "CSQLite", "DequeModule", "Glibc", "HostSystem", "Logging", "NIOPosix",
        "Observability", "Synchronization", "SystemPackage", "TunnelConfiguration",
    ],
    "NameResolution": networking.union(["HostSystem"]),
    "TransportSecurity": networking.union(["NIOSSL", "NIOTLS", "TunnelConfiguration", "X509"]),
    "TunnelTransport": networking.union([
        "AgentStatus", "DequeModule", "HTTPMessage", "HostSystem", "NameResolution", "NIOHTTP1",
        "NIOWebSocket", "SystemPackage", "TransportSecurity", "TunnelProtocol",
    ]),
    "HTTPServing": [
        "DequeModule", "Glibc", "HTTPMessage", "HostSystem", "NIOCore", "NIOHPACK", "NIOHTTP2", "NIOTLS",
        "TransportSecurity", "X509",
    ],
    "OriginHTTP": networking.union([
        "AgentStatus", "DequeModule", "FoundationEssentials", "HTTPMessage", "HostSystem", "NIOHPACK",
        "NIOHTTP2",
        "NameResolution", "ProxyProtocol", "SystemPackage", "TransportSecurity",
        "struct NIOCore.ByteBuffer",
    ]),

    // Roles: they never import each other.
    "TunnelServer": networking.union([
        "AgentStatus", "HTTPMessage", "HTTPServing", "HostSystem", "Logging", "NameResolution",
        "Observability", "PasswordHashing", "ProxyProtocol", "Routing", "TransportSecurity",
        "TunnelConfiguration",
        "TunnelProtocol",
        "TunnelTransport", "X509",
    ]),
    "TunnelClient": networking.union([
        "AgentStatus", "DequeModule", "HTTPMessage", "HostSystem", "Logging", "NameResolution",
        "Observability", "OriginHTTP", "ProxyProtocol",
        "SystemPackage", "TransportSecurity", "TunnelConfiguration", "TunnelProtocol", "TunnelTransport",
    ]),
    "Webhooks": networking.union([
        "AgentStatus", "DequeModule", "FoundationEssentials", "HTTPMessage", "HostSystem", "Logging",
        "Observability", "OriginHTTP", "TransportSecurity", "TunnelConfiguration", "TunnelProtocol", "X509",
    ]),
    "AdminAPI": networking.union([
        "AgentStatus", "CZlib", "FoundationEssentials", "HTTPMessage", "HTTPServing", "HostSystem",
        "LinearRegex", "Logging", "Observability", "SystemPackage", "TransportSecurity",
        "TunnelConfiguration", "TunnelProtocol",
    ]),

    // Composition.
    "Supervision": networking.union([
        "AdminAPI", "AgentStatus", "FoundationEssentials", "HTTPMessage", "History", "HostSystem", "Logging",
        "Observability", "OriginHTTP", "Reconciliation", "Routing", "SystemPackage", "TransportSecurity",
        "TunnelClient", "TunnelConfiguration", "TunnelProtocol", "TunnelServer", "TunnelTransport",
        "UnixSignals", "Webhooks",
    ]),
    "wstunnel": [
        "AdminAPI", "AgentStatus", "ArgumentParser", "FoundationEssentials", "Glibc", "GoCommands",
        "HostSystem", "Logging", "NIOCore", "NIOPosix", "Observability", "PasswordHashing", "Reconciliation",
        "Supervision", "Synchronization", "SystemPackage", "TransportSecurity", "TunnelClient",
        "TunnelConfiguration", "X509",
    ],
]

private let networking: Set<String> = ["Glibc", "NIOCore", "NIOPosix", "Synchronization"]

@Suite struct ImportTableTests {
    @Test func theTableHasEveryModule() throws {
        #expect(try SourceTree.modules() == importTable.keys.sorted())
    }

    @Test(arguments: importTable.keys.sorted())
    func aModuleImportsNothingBeyondTheTable(module: String) throws {
        let allowed = try #require(importTable[module])
        for file in try SourceTree.swiftFiles(below: "Sources/\(module)") {
            for name in SourceTree.imports(in: file.text) {
                let isAllowed = allowed.contains(name) || allowed.contains(Self.moduleName(of: name))
                #expect(isAllowed, "\(file.path) imports \(name), which \(module) may not")
            }
        }
    }

    /// The module of `struct Module.Name` or `Module.Submodule`.
    private static func moduleName(of name: String) -> String {
        let path = name.split(separator: " ").last ?? ""
        return String(path.split(separator: ".").first ?? "")
    }

    @Test func rolesDoNotKnowEachOther() {
        #expect(importTable["TunnelServer"]?.contains("TunnelClient") == false)
        #expect(importTable["TunnelClient"]?.contains("TunnelServer") == false)
    }

    struct Example: CustomTestStringConvertible, Sendable {
        let text: String
        let imports: [String]
        var testDescription: String { text }
    }

    @Test(arguments: [
        Example(text: "import NIOCore", imports: ["NIOCore"]),
        Example(text: "  package import Logging // why", imports: ["Logging"]),
        Example(text: "@preconcurrency import Glibc\nfinal class A {}", imports: ["Glibc"]),
        Example(text: "@_spi(Raw) internal import Foundation", imports: ["Foundation"]),
        Example(text: "import struct NIOCore.ByteBuffer", imports: ["struct NIOCore.ByteBuffer"]),
        Example(text: "import A; import B", imports: ["A", "B"]),
        Example(text: "    import Deep\r\nimport Next", imports: ["Deep", "Next"]),
        Example(text: "// import Nothing\nlet important = 1\nlet text = \"import X\"", imports: []),
    ])
    func importLinesAreRecognised(example: Example) {
        #expect(SourceTree.imports(in: example.text) == example.imports)
    }
}

@Suite struct HouseRuleTests {
    private struct Rule {
        let pattern: Regex<Substring>
        let reason: String
    }

    /// Marks of the exceptions: a line comment above the line that says why it is safe.
    private static func hasReasonAbove(_ lines: [Substring], _ index: Int) -> Bool {
        index > 0 && lines[index - 1].contains("//")
    }

    @Test func sourcesKeepToTheHouseRules() throws {
        let forbidden = [
            Rule(pattern: /\bfatalError\(/, reason: "an error, or a preconditionFailure with its reason"),
            Rule(pattern: /@unchecked Sendable/, reason: "a lock or an actor"),
            Rule(pattern: /nonisolated\(unsafe\)/, reason: "a lock or an actor"),
            Rule(pattern: /\btry!/, reason: "try with a catch"),
            Rule(pattern: /\bas!/, reason: "as? with an answer to nil"),
            Rule(pattern: /\.errorCode(?:\] =|:) "/, reason: "an ErrorCode"),
            Rule(pattern: /LoggingSystem\.bootstrap/, reason: "AgentLog.makeLogger"),
            Rule(pattern: /\b(?:TODO|FIXME|XXX)\b/, reason: "an issue"),
        ]
        for file in try SourceTree.swiftFiles(below: "Sources") {
            let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
            for (index, line) in lines.enumerated() where !Self.hasReasonAbove(lines, index) {
                for rule in forbidden where line.contains(rule.pattern) {
                    Issue.record("\(file.path):\(index + 1): \(line) — use \(rule.reason)")
                }
            }
        }
    }

    /// Generic types of the hot path, which the optimiser specialises in other modules only when they are public.
    private static let specialised = ["StreamID.swift", "StreamTable.swift", "Tally.swift"]

    @Test func nothingIsPublic() throws {
        for file in try SourceTree.swiftFiles(below: "Sources")
        where !Self.specialised.contains(where: { file.path.hasSuffix("/" + $0) }) {
            let isPublic = file.text.contains(/(?m)^\s*(?:public|open)\s+\w/)
            #expect(!isPublic, "\(file.path): nothing here is a library; package is enough")
        }
    }

    @Test func filesStayShort() throws {
        for file in try SourceTree.swiftFiles(below: "Sources") {
            let count = file.text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
            #expect(count <= 400, "\(file.path) has \(count) lines")
        }
    }
}
