// swift-tools-version: 6.2
import PackageDescription

/// What each module may import is told in Sources/README.md and held by ArchitectureTests.
let package = Package(
    name: "wstunnel",
    products: [
        .executable(name: "wstunnel", targets: ["wstunnel"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Rules: no clock, file, socket, task or log.
        .systemLibrary(
            name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CCrypt", pkgConfig: "libcrypt", providers: [.apt(["libcrypt-dev"])]),
        .target(name: "YAMLDocument", dependencies: ["CLibYAML"]),
        .target(name: "LinearRegex"),
        .target(name: "X509"),
        .target(name: "ProxyProtocol", dependencies: ["X509", .nioCore]),
        .target(name: "HTTPMessage", dependencies: [.nioCore]),
        .target(
            name: "TunnelProtocol", dependencies: ["HTTPMessage", .deque, .nioCore],
            exclude: ["PROTOCOL-LONGPOLL.md", "PROTOCOL-V1.md", "PROTOCOL-V2.md"]),
        .target(
            name: "TunnelConfiguration",
            dependencies: [
                "AgentStatus", "HTTPMessage", "LinearRegex", "ProxyProtocol", "TunnelProtocol", "X509",
                "YAMLDocument",
            ]),
        .target(name: "AgentStatus", dependencies: ["HTTPMessage"]),
        .target(
            name: "Reconciliation", dependencies: ["AgentStatus", "TunnelConfiguration", "TunnelProtocol"]),
        .target(name: "GoCommands", dependencies: ["TunnelConfiguration", "TunnelProtocol"]),
        .target(
            name: "Routing",
            dependencies: [
                "HTTPMessage", "TunnelConfiguration", "TunnelProtocol", "X509", .deque, .nioCore,
            ]),

        // Edges: each talks to one outside thing.
        .target(
            name: "HostSystem",
            dependencies: [
                "CMalloc", "HTTPMessage", "TunnelConfiguration", .deque, .nioCore, .system,
            ]),
        .target(
            name: "Observability",
            dependencies: ["AgentStatus", "HTTPMessage", "HostSystem", .deque, .logging, .system]),
        .target(
            name: "History",
            dependencies: [
                "AgentStatus", "CSQLite", "HostSystem", "Observability", "TunnelConfiguration", .deque,
                .logging, .nioPosix, .system,
            ]),
        .target(name: "PasswordHashing", dependencies: ["CArgon2", "CCrypt", "TunnelConfiguration"]),
        .target(name: "NameResolution", dependencies: ["HostSystem", .nioCore, .nioPosix]),
        .target(
            name: "TransportSecurity",
            dependencies: ["TunnelConfiguration", "X509", .nioCore, .nioPosix, .nioSSL, .nioTLS]),
        .target(
            name: "TunnelTransport",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HostSystem", "NameResolution", "TransportSecurity",
                "TunnelProtocol", .deque, .nioCore, .nioPosix, .nioHTTP1, .nioWebSocket, .system,
            ]),
        .target(
            name: "HTTPServing",
            dependencies: [
                "HTTPMessage", "HostSystem", "TransportSecurity", "X509", .deque, .nioCore, .nioHPACK,
                .nioHTTP2, .nioTLS,
            ]),
        .target(
            name: "OriginHTTP",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HostSystem", "NameResolution", "ProxyProtocol",
                "TransportSecurity", .deque, .nioCore, .nioHPACK, .nioHTTP2, .nioPosix, .system,
            ]),

        // Roles: they never import each other.
        .target(
            name: "TunnelServer",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HTTPServing", "HostSystem", "NameResolution", "Observability",
                "PasswordHashing", "ProxyProtocol", "Routing", "TransportSecurity", "TunnelConfiguration",
                "TunnelProtocol",
                "TunnelTransport",
                "X509", .logging, .nioCore, .nioPosix,
            ]),
        .target(
            name: "TunnelClient",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HostSystem", "NameResolution", "Observability", "OriginHTTP",
                "ProxyProtocol", "TransportSecurity", "TunnelConfiguration", "TunnelProtocol",
                "TunnelTransport", .deque, .logging, .nioCore, .nioPosix, .system,
            ]),

        .target(
            name: "Webhooks",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HostSystem", "Observability", "OriginHTTP",
                "TransportSecurity", "TunnelConfiguration", "TunnelProtocol", "X509", .deque, .logging,
                .nioCore,
            ]),

        .target(
            name: "AdminAPI",
            dependencies: [
                "AgentStatus", "CZlib", "HTTPMessage", "HTTPServing", "HostSystem", "LinearRegex",
                "Observability", "TransportSecurity", "TunnelConfiguration",
                "TunnelProtocol",
                .logging, .nioCore, .nioPosix, .system,
            ]),

        // Composition.
        .target(
            name: "Supervision",
            dependencies: [
                "AdminAPI", "AgentStatus", "HTTPMessage", "History", "HostSystem", "Observability",
                "OriginHTTP", "Reconciliation", "Routing", "TransportSecurity", "TunnelClient",
                "TunnelConfiguration", "TunnelServer", "TunnelTransport", "Webhooks", .logging, .nioCore,
                .nioPosix, .system, .unixSignals,
            ]),
        .executableTarget(
            name: "wstunnel",
            dependencies: [
                "AdminAPI", "AgentStatus", "GoCommands", "HostSystem", "Observability", "PasswordHashing",
                "Reconciliation", "Supervision", "TransportSecurity", "TunnelClient", "TunnelConfiguration",
                "X509", .argumentParser, .logging, .nioCore, .nioPosix, .system,
            ]),

        // Tests.
        .executableTarget(
            name: "microbenchmarks",
            dependencies: [
                "AgentStatus", "HTTPMessage", "Observability", "Reconciliation", "Routing",
                "TunnelConfiguration", "TunnelProtocol", .nioCore,
            ],
            path: "Tests/Benchmarks/Micro"),
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        .testTarget(name: "TestSupportTests", dependencies: ["TestSupport"]),
        .testTarget(name: "ArchitectureTests", dependencies: ["TestSupport"]),
        .testTarget(name: "YAMLDocumentTests", dependencies: ["YAMLDocument", "TestSupport"]),
        .testTarget(name: "X509Tests", dependencies: ["X509", "TestSupport"]),
        .testTarget(name: "ProxyProtocolTests", dependencies: ["ProxyProtocol", "TestSupport", .nioCore]),
        .testTarget(name: "LinearRegexTests", dependencies: ["LinearRegex", "TestSupport"]),
        .testTarget(name: "HTTPMessageTests", dependencies: ["HTTPMessage", "TestSupport", .nioCore]),
        .testTarget(
            name: "TunnelProtocolTests",
            dependencies: ["HTTPMessage", "TunnelProtocol", "TestSupport", .deque, .nioCore]),
        .testTarget(
            name: "TunnelConfigurationTests", dependencies: ["TunnelConfiguration", "TestSupport"],
            exclude: ["Fixtures"]),
        .testTarget(name: "AgentStatusTests", dependencies: ["AgentStatus"]),
        .testTarget(
            name: "ReconciliationTests",
            dependencies: [
                "AgentStatus", "ProxyProtocol", "Reconciliation", "TestSupport", "TunnelConfiguration",
                "TunnelProtocol",
            ]),
        .testTarget(
            name: "GoCommandsTests",
            dependencies: ["GoCommands", "TestSupport", "TunnelConfiguration", "TunnelProtocol"]),
        .testTarget(
            name: "RoutingTests",
            dependencies: [
                "HTTPMessage", "Routing", "TestSupport", "TunnelConfiguration", "TunnelProtocol", .nioCore,
            ]),
        .testTarget(
            name: "HostSystemTests",
            dependencies: [
                "HostSystem", "Observability", "TestSupport", "TunnelConfiguration", .logging, .nioCore,
                .nioEmbedded, .nioPosix, .system,
            ]),
        .testTarget(
            name: "ObservabilityTests",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HostSystem", "Observability", "TestSupport", .logging,
            ]),
        .testTarget(
            name: "NameResolutionTests",
            dependencies: ["HostSystem", "NameResolution", "TestSupport", .nioCore, .nioPosix]),
        .testTarget(
            name: "HistoryTests",
            dependencies: [
                "AgentStatus", "CSQLite", "HTTPMessage", "History", "HostSystem", "Observability",
                "TestSupport", "TunnelConfiguration", .logging, .system,
            ]),
        .testTarget(
            name: "PasswordHashingTests", dependencies: ["PasswordHashing", "TunnelConfiguration"]),
        .testTarget(
            name: "TunnelTransportTests",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HostSystem", "NameResolution", "TunnelProtocol",
                "TransportSecurity", "TunnelConfiguration", "TunnelTransport", "TestSupport", .logging,
                .nioCore, .nioEmbedded, .nioPosix,
            ]),
        .testTarget(
            name: "TransportSecurityTests",
            dependencies: [
                "TestSupport", "TransportSecurity", "TunnelConfiguration", "X509", .nioCore, .nioPosix,
                .nioSSL,
            ]),
        .testTarget(
            name: "HTTPServingTests",
            dependencies: [
                "HTTPMessage", "HTTPServing", "HostSystem", "TestSupport", .nioCore, .nioEmbedded, .nioHPACK,
                .nioHTTP2, .nioSSL, .nioTLS,
            ]),
        .testTarget(
            name: "OriginHTTPTests",
            dependencies: [
                "HTTPMessage", "NameResolution", "OriginHTTP", "ProxyProtocol", "TestSupport",
                "TransportSecurity",
                "TunnelConfiguration", .logging, .nioCore, .nioEmbedded, .nioHPACK, .nioHTTP2, .nioPosix,
                .nioSSL,
            ]),
        .testTarget(
            name: "TunnelServerTests",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HTTPServing", "HostSystem", "Observability", "Routing",
                "TunnelConfiguration",
                "TunnelProtocol", "TunnelServer",
                "TunnelTransport", "TestSupport", .logging, .nioCore, .nioEmbedded, .nioPosix,
            ]),
        .testTarget(
            name: "TunnelClientTests",
            dependencies: [
                "AgentStatus", "HTTPMessage", "HostSystem", "Observability", "OriginHTTP", "TunnelClient",
                "TransportSecurity", "TunnelConfiguration", "TunnelProtocol", "TunnelServer",
                "TunnelTransport", "TestSupport", .logging, .nioCore, .nioEmbedded, .nioPosix, .nioSSL,
            ]),
        .testTarget(
            name: "SupervisionTests",
            dependencies: [
                "AgentStatus", "HostSystem", "Observability", "Reconciliation", "Supervision", "TestSupport",
                "TunnelClient", "TunnelConfiguration", "TunnelProtocol", "TunnelTransport", .logging,
                .nioPosix,
            ]),
        .testTarget(
            name: "AdminAPITests",
            dependencies: [
                "AdminAPI", "AgentStatus", "HTTPMessage", "HTTPServing", "Observability", "TestSupport",
                "TransportSecurity", "TunnelConfiguration", "X509", .logging, .nioCore, .nioEmbedded,
                .nioPosix,
                .system,
            ]),
        .testTarget(
            name: "WebhooksTests",
            dependencies: [
                "AgentStatus", "HostSystem", "Observability", "TestSupport", "TransportSecurity",
                "TunnelConfiguration", "Webhooks", "X509", .logging, .nioCore, .nioPosix,
            ]),
        .testTarget(name: "CommandLineTests", dependencies: ["TestSupport"]),
        .testTarget(
            name: "EndToEndTests", dependencies: ["TestSupport"],
            exclude: ["Programs/python", "Programs/requirements.txt"]),
        .target(name: "BenchmarkReport", path: "Tests/Benchmarks/Report"),
        .testTarget(name: "BenchmarkReportTests", dependencies: ["BenchmarkReport"]),
        .executableTarget(
            name: "wstunnel-bench", dependencies: ["BenchmarkReport", "TestSupport", .argumentParser],
            path: "Tests/Benchmarks/Harness"),
    ],
    swiftLanguageModes: [.v6]
)

extension Target.Dependency {
    static var argumentParser: Self { .product(name: "ArgumentParser", package: "swift-argument-parser") }
    static var deque: Self { .product(name: "DequeModule", package: "swift-collections") }
    static var logging: Self { .product(name: "Logging", package: "swift-log") }
    static var nioCore: Self { .product(name: "NIOCore", package: "swift-nio") }
    static var nioEmbedded: Self { .product(name: "NIOEmbedded", package: "swift-nio") }
    static var nioHPACK: Self { .product(name: "NIOHPACK", package: "swift-nio-http2") }
    static var nioHTTP1: Self { .product(name: "NIOHTTP1", package: "swift-nio") }
    static var nioHTTP2: Self { .product(name: "NIOHTTP2", package: "swift-nio-http2") }
    static var nioPosix: Self { .product(name: "NIOPosix", package: "swift-nio") }
    static var nioSSL: Self { .product(name: "NIOSSL", package: "swift-nio-ssl") }
    static var nioTLS: Self { .product(name: "NIOTLS", package: "swift-nio") }
    static var nioWebSocket: Self { .product(name: "NIOWebSocket", package: "swift-nio") }
    static var system: Self { .product(name: "SystemPackage", package: "swift-system") }
    static var unixSignals: Self { .product(name: "UnixSignals", package: "swift-service-lifecycle") }
}

for target in package.targets where target.type != .system {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InferIsolatedConformances"),
        .enableUpcomingFeature("ImmutableWeakCaptures"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .treatAllWarnings(as: .error),
    ]
}
