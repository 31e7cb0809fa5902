import AgentStatus
import Foundation
import TestSupport
import Testing

@testable import AdminAPI

/// Servers, tunnels and sessions, a part of them at a time.
@Suite(.timeLimit(.minutes(1))) struct AdminListsTests {
    private static let tunnels = [
        ("api", TunnelSnapshot.State.connected), ("api", .draining), ("billing", .connecting),
        ("crm", .gaveUp), ("web", .connected),
    ].map { name, state in
        TunnelSnapshot(name: name, state: state, server: "ws://s", tokenHint: "t...", wanted: 1)
    }
    private static let servers = [("inner", ServerSnapshot.State.failed), ("public", .listening)].map {
        name, state in
        ServerSnapshot(
            name: name, state: state, address: "127.0.0.1:1",
            connected: [
                ConnectedToken(
                    name: "web", tokenHint: "abcdefgh...", tokenTag: "1a2b3c", address: "192.0.2.7",
                    software: "wstunnel 1", protocolVersion: 2, clients: 1, sessions: 1, requests: 7,
                    pending: 2, since: 5)
            ])
    }
    private static let sessions = [("public", "web"), ("public", "api"), (nil, "web")].map { server, tunnel in
        SessionSnapshot(
            id: 3, server: server, tunnel: tunnel, tokenHint: "abcdefgh...",
            tokenTag: server == nil ? nil : "1a2b3c", address: "192.0.2.7", addressName: "seven.test",
            transport: .websocket, protocolVersion: 2, since: 5, heardAt: server == nil ? nil : 60,
            streams: 1, isDraining: false)
    }

    private func world() async throws -> AdminWorld {
        try await AdminWorld(.init(servers: Self.servers, tunnels: Self.tunnels, sessions: Self.sessions))
    }

    @Test(arguments: [
        ("", ["api", "api", "billing", "crm", "web"], 5), ("?state=up", ["api", "web"], 2),
        ("?state=down", ["billing", "crm"], 2), ("?state=gave-up", ["crm"], 1),
        ("?state=draining", ["api"], 1), ("?name=*b*", ["billing", "web"], 2),
        ("?name=API", ["api", "api"], 2),
        ("?limit=2", ["api", "api"], 5), ("?limit=2&offset=3", ["crm", "web"], 5), ("?offset=9", [], 5),
        ("?state=up&name=w%2A", ["web"], 1),
    ])
    func tunnelsAreFiltered(query: String, names: [String], total: Int) async throws {
        try await world().run { world in
            let body = try world.ask("GET", "/api/tunnels\(query)").body
            let list = try JSONDecoder().decode(TunnelList.self, from: Data(body))
            #expect(list.tunnels.map(\.name) == names && list.total == total)
        }
    }

    /// Tunnels in the order of their names.
    private func many(_ count: Int) -> [TunnelSnapshot] {
        (10_000..<10_000 + count).map { number in
            TunnelSnapshot(
                name: "t\(number)", state: .connected, server: "ws://s", tokenHint: "t...", wanted: 1)
        }
    }

    @Test func theStatusTellsOfSomeAtOnceAndItsClientAsksForTheOthers() async throws {
        let tunnels = many(2345)
        try await AdminWorld(.init(tunnels: tunnels)).run { world in
            let body = try world.ask("GET", "/api/status").body
            let some = try JSONDecoder().decode(AgentSnapshot.self, from: Data(body))
            #expect(some.tunnels == Array(tunnels.prefix(500)) && some.moreTunnels == 1845)
            let all = try AdminClient(socketPath: world.path).status()
            #expect(all.tunnels == tunnels && all.moreTunnels == nil)
        }
    }

    @Test func aPageMayBeLargerThanWhatAStatusTells() async throws {
        let tunnels = many(1500)
        try await AdminWorld(.init(tunnels: tunnels)).run { world in
            let body = try world.ask("GET", "/api/tunnels?limit=1000&offset=100").body
            let list = try JSONDecoder().decode(TunnelList.self, from: Data(body))
            #expect(list.tunnels == Array(tunnels[100..<1100]) && list.total == 1500)
        }
    }

    @Test(arguments: [
        "limit=0", "limit=1001", "limit=+1", "limit=x", "limit=", "offset=-1", "state=nonsense", "state=",
        "names=web", "Limit=1",
    ])
    func otherQueriesAreRefused(query: String) async throws {
        try await world().run { world in
            for path in ["/api/tunnels", "/api/servers"] {
                let answer = try world.ask("GET", "\(path)?\(query)")
                #expect(answer.status == 400)
                #expect(answer.text.contains(query.prefix { $0 != "=" }), "\(answer.text)")
            }
        }
    }

    @Test func serversAreListedWithoutTheirTokensAndOneWithThem() async throws {
        try await world().run { world in
            let decoder = JSONDecoder()
            let all = try decoder.decode(
                ServerList.self, from: Data(world.ask("GET", "/api/servers").body))
            #expect(all.servers.map(\.name) == ["inner", "public"] && all.total == 2)
            #expect(all.servers.allSatisfy { $0.connected == nil && $0.names == nil })
            let down = try decoder.decode(
                ServerList.self, from: Data(world.ask("GET", "/api/servers?state=down").body))
            #expect(down.servers.map(\.name) == ["inner"])
            let one = try decoder.decode(
                ServerSnapshot.self, from: Data(world.ask("GET", "/api/servers/public").body))
            #expect(one.connected?.count == 1)
            #expect(try world.ask("GET", "/api/servers/none").status == 404)
        }
    }

    @Test func aTunnelIsTheOneInForce() async throws {
        try await world().run { world in
            let one = try JSONDecoder().decode(
                TunnelSnapshot.self, from: Data(world.ask("GET", "/api/tunnels/%61pi").body))
            #expect(one.name == "api" && one.state == .connected)
            #expect(try world.ask("GET", "/api/tunnels/none").status == 404)
        }
    }

    @Test(arguments: [
        ("", 3), ("?server=public", 2), ("?tunnel=web", 2), ("?server=public&tunnel=w*", 1), ("?server=", 0),
    ])
    func sessionsAreFiltered(query: String, count: Int) async throws {
        try await world().run { world in
            let body = try world.ask("GET", "/api/sessions\(query)").body
            let list = try JSONDecoder().decode(SessionList.self, from: Data(body))
            #expect(list.sessions.count == count && list.total == count)
        }
    }

    /// As programs read them that were written for the Go program.
    @Test func theOldPathsAnswerByTheirFieldNames() async throws {
        try await world().run { world in
            let monitoring = try world.ask("GET", "/admin/monitoring").body
            let sums = try #require(
                try JSONSerialization.jsonObject(with: Data(monitoring)) as? [String: Any])
            #expect(
                Set(sums.keys) == [
                    "timestamp", "unique_tunnels", "tunnel_connections", "pending_requests",
                    "completed_requests", "errored_requests",
                ])
            #expect(sums["timestamp"] as? String == "1970-01-01T00:00:02Z")
            #expect(sums["pending_requests"] as? Int == 4)
            let auditing = try world.ask("GET", "/admin/auditing").body
            let audit = try #require(try JSONSerialization.jsonObject(with: Data(auditing)) as? [String: Any])
            let tunnels = try #require(audit["tunnels"] as? [String: [String: Any]])
            let one = try #require(tunnels["abcdefgh... (public 1a2b3c)"])
            #expect(one["token"] as? String == "abcdefgh..." && one["remote_name"] as? String == "seven.test")
            #expect(one["last_activity"] as? String == "1970-01-01T00:01:00Z")
            #expect(one["active_connections"] as? [String] == [] && one["pending_requests"] as? Int == 2)
        }
    }

    @Test func theConfigurationIsYAML() async throws {
        try await world().run { world in
            let answer = try world.ask("GET", "/api/config")
            #expect(answer.head["Content-Type"] == "application/yaml" && answer.text == "version: 1\n")
        }
    }
}
