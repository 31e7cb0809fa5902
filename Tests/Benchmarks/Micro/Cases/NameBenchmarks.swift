import HTTPMessage
import Reconciliation
import Routing
import TunnelConfiguration
import TunnelProtocol

/// As large as a server for many customers gets: names, and how many of them have rules for callers of their own.
private let (nameCount, ruleCount) = (10_000, 1000)

private func host(_ index: Int) -> String { "name-\(index).example.com" }

/// By its name a request finds its tunnel, and the rules that it is held to.
private func routeByName(among names: Int, rules: Int) throws -> Operation {
    let token = try RendezvousToken(Texts.token)
    let allowed = ["198.51.100.0/24", "203.0.113.0/24"].compactMap { AddressRange($0) }
    var hosts: [PublicName: RendezvousToken] = [:]
    var access = CallerAccess()
    for index in 0..<names {
        let name = PublicName(host: .exact(host(index)))
        hosts[name] = token
        if index < rules { access.names[name] = CallerRules(allowed: allowed, methods: ["GET", "POST"]) }
    }
    let table = RouteTable(hosts: hosts)
    let policies = AccessTable(access, hosts: table.hosts)
    let text = "GET /dashboard/index.html HTTP/1.1\nHost: \(host(rules - 1))\nAccept: */*"
    let head = try RequestHead(whole: Texts.head(text), limits: HTTPLimits())
    return {
        let caller = table.caller(at: "203.0.113.7", head.fields)
        guard case .forward(let route) = table.route(head), let policy = policies.policy(for: route) else {
            throw WrongResult(description: "no route, or no rules")
        }
        try policy.check(head, AccessPolicy.Facts(address: caller.text, certificateNames: nil))
        blackHole(route)
    }
}

private let text: String = {
    var text = """
        servers:
          - name: public
            host: 127.0.0.1
            port: 8080
            hosts:

        """
    for index in 0..<nameCount {
        let rules = index % (nameCount / ruleCount) == 0 ? ", callers: { allow-from: [203.0.113.0/24] }" : ""
        text += "      - { host: \(host(index)), token: token-of-the-names-\(index % 100)\(rules) }\n"
    }
    return text
}()

private func load() throws -> AgentConfiguration {
    let report = loadConfiguration(at: "tunnels.yaml", from: OneFile(text))
    guard let configuration = report.configuration, let server = configuration.servers.first else {
        throw WrongResult(description: report.problems.first?.description ?? "no configuration")
    }
    let (names, rules) = (server.routes.hosts.count, server.access.names.count)
    try require(names == nameCount && rules == ruleCount, "\(names) names, \(rules) rules")
    return configuration
}

let nameBenchmarks = [
    Benchmark("caller-route-name", "a request finds its tunnel and rules by its name, the only one") {
        try routeByName(among: 1, rules: 1)
    },
    Benchmark("caller-route-names", "the same among 10,000 names and 1,000 rules") {
        try routeByName(among: nameCount, rules: ruleCount)
    },
    Benchmark("load-names", "a configuration of 10,000 names and 1,000 rules is read", iterations: 1) {
        return { blackHole(try load()) }
    },
    Benchmark("plan-names", "a change of one of these names is planned, and routes are made", iterations: 1) {
        let running = try load()
        var desired = running
        desired.servers[0].routes.hosts[PublicName(host: .exact(host(0)))] = try RendezvousToken(Texts.token)
        return {
            let plan = ReloadPlan(running: running, desired: desired)
            try require(plan.servers.count == 1, "\(plan.servers.count) changes")
            let table = RouteTable(hosts: desired.servers[0].routes.hosts)
            blackHole((plan, AccessTable(desired.servers[0].access, hosts: table.hosts)))
        }
    },
]
