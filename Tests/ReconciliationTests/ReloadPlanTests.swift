import AgentStatus
import ProxyProtocol
import Reconciliation
import TestSupport
import Testing
import TunnelConfiguration

@Suite struct ReloadPlanTests {
    @Test func everySettingSaysWhatItsChangeTakes() {
        // A setting that is added to a specification and not to its fields would be ignored by reloads.
        let server = Examples.server("a")
        let groups: [Any] = [server.routes, server.times, server.limits, server.trust]
        // A field for each setting, in groups or not.
        let settings = storedProperties(server) - groups.count + groups.map(storedProperties).reduce(0, +)
        #expect(settings == ServerConfiguration.fields.count + 1)
        let tunnel = Examples.tunnel("a")
        let own = storedProperties(tunnel) - 1 + storedProperties(tunnel.trust)
        #expect(own == TunnelClientConfiguration.fields.count + 1)
        let agent = AgentConfiguration()
        // Servers and tunnels are planned by themselves, the log has a field for each of its settings.
        let ownOfAgent = storedProperties(agent) - 3 + storedProperties(agent.log)
        #expect(ownOfAgent == AgentConfiguration.fields.count)
    }

    @Test func keysAreThoseOfTheFile() {
        let server = Set(ConfigurationSection.server.keys.map(\.name))
        let inner = ["redirect-http": ConfigurationSection.tls, "client-name": .passwordEntry]
        for field in ServerConfiguration.fields where field.key != "passwords" {
            let keys = inner[field.key].map { Set($0.keys.map(\.name)) } ?? server
            #expect(keys.contains(field.key), "\(field.key)")
        }
        let tunnel = Set(ConfigurationSection.tunnel.keys.map(\.name))
        for field in TunnelClientConfiguration.fields { #expect(tunnel.contains(field.key), "\(field.key)") }
    }

    @Test func nothingIsPlannedForWhatIsTheSame() {
        let configuration = Examples.configuration(servers: ["a", "b"], tunnels: ["x", "y"])
        let plan = ReloadPlan(running: configuration, desired: configuration)
        #expect(plan.isEmpty)
        #expect(plan.snapshot.isEmpty)
    }

    @Test func theOrderOfEntriesDoesNotMatter() {
        let running = Examples.configuration(servers: ["a", "b", "c"], tunnels: ["x", "y", "z"])
        var desired = running
        desired.servers.reverse()
        desired.tunnels.reverse()
        #expect(ReloadPlan(running: running, desired: desired).isEmpty)
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let key: String
        let verb: PlanSnapshot.Action.Verb
        let change: @Sendable (inout AgentConfiguration) -> Void
        var testDescription: String { key }
    }

    @Test(arguments: serverRows + tunnelRows)
    func aChangedSettingIsPlannedAsTheTableSays(_ row: Row) {
        let running = Examples.configuration(servers: ["public", "other"], tunnels: ["web", "api"])
        var desired = running
        row.change(&desired)
        let actions = ReloadPlan(running: running, desired: desired).snapshot.actions
        #expect(actions.count == 1)
        #expect(actions.first?.verb == row.verb)
        #expect(actions.first?.changes == [row.key])
        #expect(["public", "web"].contains(actions.first?.name))
    }

    @Test func oneSettingThatTakesAReplacementMakesItOne() {
        let running = Examples.configuration(tunnels: ["web"])
        var desired = running
        desired.tunnels[0].timeout = .seconds(5)
        desired.tunnels[0].connections = 9
        let plan = ReloadPlan(running: running, desired: desired)
        #expect(plan.tunnels == [.replace(desired.tunnels[0], changes: ["connections", "timeout"])])
    }

    @Test func whatComesIsPlannedBeforeWhatGoes() {
        let running = Examples.configuration(servers: ["a", "m"], tunnels: ["b", "n"])
        var desired = Examples.configuration(servers: ["z", "m"], tunnels: ["y", "n"])
        desired.servers[1].times.queue = .seconds(1)
        let actions = ReloadPlan(running: running, desired: desired).snapshot.actions
        #expect(
            actions.map { "\($0.verb) \($0.kind) \($0.name)" } == [
                "update server m", "start server z", "stop server a", "start tunnel y", "stop tunnel b",
            ])
    }

    @Test func theAgentsOwnSettingsAreOneActionAndSyslogTakesARestart() {
        let running = AgentConfiguration()
        var desired = running
        desired.log.level = .debug
        desired.pidfile = "/run/x.pid"
        desired.log.syslog = .daemon
        desired.loadShedding = .off
        desired.history = HistoryConfiguration(file: "/run/history.db")
        let plan = ReloadPlan(running: running, desired: desired)
        #expect(plan.agentChanges == ["log.level", "pidfile", "load-shedding", "history"])
        #expect(plan.ineffectiveChanges == ["log.syslog"])
        #expect(plan.result.log.syslog == nil)
        #expect(plan.result.log.level == .debug)
        #expect(plan.snapshot.notes == ["log.syslog: the change takes a restart"])
    }

    @Test func aThousandTunnelsWithOneChangedGiveOneAction() {
        let running = Examples.configuration(tunnels: (0..<1000).map { "t\($0)" })
        var desired = running
        desired.tunnels[500].connections = 7
        let plan = ReloadPlan(running: running, desired: desired)
        #expect(plan.tunnels.map(\.name) == ["t500"])
    }

    /// Carries a plan out on a model of what runs; whatever the plan does not name stays as it is.
    @Test(arguments: 0..<200) func carryingThePlanOutReachesWhatIsWanted(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let running = Examples.random(&random)
        let desired = Examples.edited(running, &random)
        let plan = ReloadPlan(running: running, desired: desired)
        let servers = apply(plan.servers, to: running.servers)
        let tunnels = apply(plan.tunnels, to: running.tunnels)
        #expect(servers == Dictionary(uniqueKeysWithValues: desired.servers.map { ($0.name, $0) }))
        #expect(tunnels == Dictionary(uniqueKeysWithValues: desired.tunnels.map { ($0.name, $0) }))
        // What did not change is in no action.
        let named = Set(plan.tunnels.map(\.name))
        for tunnel in running.tunnels where desired.tunnels.contains(tunnel) {
            #expect(!named.contains(tunnel.name))
        }
        #expect(ReloadPlan(running: plan.result, desired: desired).isEmpty)
    }

    private func apply<Spec: Specification>(_ changes: [Change<Spec>], to running: [Spec]) -> [String: Spec] {
        var world = Dictionary(uniqueKeysWithValues: running.map { ($0.name, $0) })
        for change in changes {
            switch change {
            case .start(let spec):
                #expect(world[spec.name] == nil)
                world[spec.name] = spec
            case .update(let spec, let keys), .replace(let spec, let keys):
                guard let old = world[spec.name] else {
                    Issue.record("\(spec.name) does not run")
                    continue
                }
                #expect(old.changes(to: spec).map(\.key) == keys)
                world[spec.name] = spec
            case .stop(let name):
                #expect(world.removeValue(forKey: name) != nil)
            }
        }
        return world
    }

    private func storedProperties(_ value: some Any) -> Int { Mirror(reflecting: value).children.count }
}

private typealias Row = ReloadPlanTests.Row

private func server(
    _ key: String, _ verb: PlanSnapshot.Action.Verb,
    _ change: @escaping @Sendable (inout ServerConfiguration) -> Void
) -> Row {
    Row(key: key, verb: verb) { change(&$0.servers[0]) }
}

private func tunnel(
    _ key: String, _ verb: PlanSnapshot.Action.Verb,
    _ change: @escaping @Sendable (inout TunnelClientConfiguration) -> Void
) -> Row {
    Row(key: key, verb: verb) { change(&$0.tunnels[0]) }
}

private let serverRows = [
    server("host", .replace) { $0.host = "127.0.0.2" },
    server("port", .replace) { $0.port = 9 },
    server("reuse-port", .replace) { $0.reusePort = true },
    server("tls", .update) { $0.tls = ListenerTLS(certificates: []) },
    server("inner-tls", .update) { $0.innerCertificate = Examples.keyPair },
    server("longpoll", .update) { $0.offersLongPoll = false },
    server("redirect-http", .update) { $0.redirect = RedirectListener(port: 443) },
    server("base-path", .update) { $0.routes.basePath = "/x" },
    server("wstimeout", .update) { $0.times.keepalive = .seconds(9) },
    server("httptimeout", .update) { $0.times.stall = .seconds(9) },
    server("queue-timeout", .update) { $0.times.queue = .seconds(9) },
    server("max-requests-per-tunnel", .update) { $0.limits.waitingPerToken = 9 },
    server("max-clients-per-token", .update) { $0.limits.clientsPerToken = 9 },
    server("max-sessions-per-token", .update) { $0.limits.sessionsPerToken = 9 },
    server("max-sessions-per-address", .update) { $0.limits.sessionsPerAddress = 9 },
    server("passwords", .update) { $0.trust.passwords = [Examples.token("t"): [Secret("new")]] },
    server("client-name", .update) {
        $0.trust.certificateNames = [Examples.token("t"): [NameGlob("edge-*")]]
    },
    server("only-listed-tokens", .update) { $0.trust.onlyListedTokens = true },
    server("hosts", .update) { $0.routes.hosts = [PublicName(host: .exact("h")): Examples.token("t")] },
    server("host-claims", .update) { $0.routes.claims = HostClaimRules(domain: "t.example") },
    server("public-url", .update) { $0.routes.publicURL = PublicURL(isSecure: true, port: 443) },
    server("trusted-proxies", .update) {
        $0.trust.proxies = [AddressRange("10.0.0.0/8")].compactMap(\.self)
    },
    server("forwarding", .update) { $0.routes.forwarding = .xForwarded },
    server("proxy-protocol", .update) { $0.trust.proxyHeader = .required },
]

private let tunnelRows = [
    tunnel("tunnel", .replace) { $0.tunnel.port = 9 },
    tunnel("token", .replace) { $0.token = Examples.token("other") },
    tunnel("password", .replace) { $0.password = Secret("p") },
    tunnel("proxy", .replace) { $0.proxy = ProxyURL(host: "proxy") },
    tunnel("client-ports", .replace) { $0.clientPorts = [8000...8001] },
    tunnel("connections", .replace) { $0.connections = 9 },
    tunnel("protocol", .replace) { $0.protocol = .v1 },
    tunnel("transport", .replace) { $0.transport = .longpoll },
    tunnel("hosts", .replace) { $0.hosts = ["app"] },
    tunnel("inner-tls", .replace) { $0.innerTrust = PeerTrust(pins: ["x"]) },
    tunnel("server", .update) { $0.origin = .folder(path: "/") },
    tunnel("balance", .update) { $0.balance = .roundRobin },
    tunnel("health", .update) { $0.health = HealthCheck() },
    tunnel("regexp", .update) { $0.hostPattern = try? HostPattern(source: "http://x") },
    tunnel("host-header", .update) { $0.hostHeader = .keep },
    tunnel("redirects", .update) { $0.redirects = .rewrite },
    tunnel("http", .update) { $0.originVersions = .http2 },
    tunnel("hidden-files", .update) { $0.servesHiddenFiles = true },
    tunnel("proxy-protocol", .update) { $0.proxyHeader = .v1 },
    tunnel("insecure", .update) { $0.trust.isInsecure = true },
    tunnel("certfile", .update) { $0.trust.certificates = CertificateFile(path: "/x", pem: [1]) },
    tunnel("pin-sha256", .update) { $0.trust.pins = ["x"] },
    tunnel("server-name", .update) { $0.trust.serverName = "x" },
    tunnel("client-certificate", .update) { $0.identity = Examples.keyPair },
    tunnel("origin-tls", .update) { $0.originTrust = [OriginTrust(host: nil, trust: PeerTrust())] },
    tunnel("timeout", .update) { $0.timeout = .seconds(9) },
    tunnel("statusfile", .update) { $0.statusFile = "/x" },
    tunnel("websocket-retry", .update) { $0.websocketRetry = .seconds(9) },
    tunnel("reconnect-delay", .update) { $0.longestRetryDelay = .seconds(9) },
    tunnel("max-retries", .update) { $0.maxRetries = 9 },
    tunnel("required", .update) { $0.isRequired = false },
]
