import Foundation
import TestSupport
import Testing

/// Sessions that are ended, tokens that are blocked, and a log that says more for a while.
@Suite(.timeLimit(.minutes(1))) struct SessionActionTests {
    /// Of the sessions that have joined a server.
    private func numbers(in server: AgentProcess) throws -> Set<String> {
        Set(
            try server.log.filter { $0.contains("\"Session joined\"") }
                .map { try LogfmtLine($0)["session.id"] ?? "" })
    }

    @Test func sessionsOfEitherEndAreDrainedUnderLoad() throws {
        let origin = try SteadyLoad.origin()
        let pair = try TunnelPair(to: origin.url)
        let (server, client) = (pair.server, pair.client)
        let callers = Callers(port: pair.port, token: TunnelPair.token)
        for number in try numbers(in: server).sorted() {
            let start = server.log.count
            let ended = try server.command("session", number)
            #expect(ended.output == "session \(number) of server public: finishes and ends\n")
            try server.waitForLog("Session left", ["session.id": number], from: start)
            try pair.server.waitForSession(ofTunnel: "web", from: start)
            try callers.answered.wait(
                for: callers.answered.value + 20, within: .seconds(20), what: "requests")
        }
        let tunnels = try #require(try client.statusObject()["tunnels"] as? [[String: Any]])
        let connections = try #require(tunnels.first?["connections"] as? [[String: Any]])
        #expect(connections.count == 2)
        for connection in connections {
            let number = "\(try #require(connection["id"] as? Int))"
            let start = client.log.count
            let ended = try client.command("session", number)
            #expect(ended.output == "session \(number) of tunnel web: finishes and ends\n")
            try client.waitForLog("Session ended", ["session.id": number], from: start)
            try callers.answered.wait(
                for: callers.answered.value + 20, within: .seconds(20), what: "requests")
        }
        let faults = try callers.stop()
        #expect(faults.isEmpty, "\(faults)")
        let gone = try client.command("session", "1000000")
        #expect(gone.exit == .code(1) && gone.errors.contains("no session has that number"))
    }

    @Test func aSessionThatIsDisconnectedIsCutAndComesBack() throws {
        let origin = try HoldingOrigin("origin")
        let pair = try TunnelPair(to: origin.url, connections: 1)
        let held = try origin.hold(port: pair.port, token: TunnelPair.token)
        let number = try #require(try numbers(in: pair.server).first)
        let start = pair.server.log.count
        #expect(try pair.server.command("session", number, "--disconnect").output.hasSuffix("closed\n"))
        #expect(try held.finish().hasPrefix("502"))
        try pair.server.waitForSession(ofTunnel: "web", from: start)
        #expect(try pair.exchange("GET", "/").text == "origin")
    }

    @Test func aBlockedTokenIsNotServedUntilItIsUnblocked() throws {
        let (bad, good) = ("blocked-test-token-1", "blocked-test-token-2")
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let clients = try [bad, good].map { token in
            try AgentProcess(
                configuration: Configuration.client(
                    tunnel: "ws://127.0.0.1:\(port)", to: "builtin:echo", token: token,
                    options: ["connections: 1", "reconnect-delay: 1s"]))
        }
        try server.waitForSessions(2)
        for token in [bad, good] {
            #expect(try HTTPConnection.ask(port: port, token: token, "/echo").first?.isNumber != true)
        }

        // Both begin alike: the tag says which one is meant.
        let servers = try #require(try server.statusObject()["servers"] as? [[String: Any]])
        let connected = try #require(servers.first?["connected"] as? [[String: Any]])
        let tags = connected.compactMap { $0["tokenTag"] as? String }
        #expect(Set(tags).count == 2)
        let start = server.log.count
        #expect(
            try server.command("block-token", "--hint", "blocked-...", "--tag", "zzzzzz").errors
                .contains("no token that the servers know"))
        #expect(try server.command("block-token", "--hint", "blocked-...", "--tag", tags[0]).exit == .code(0))
        try server.waitForLog("Session left", from: start)
        let statuses = try [bad, good].map { try HTTPConnection.ask(port: port, token: $0, "/echo") }
        let blocked = try #require(statuses.firstIndex(of: "403"))
        #expect(statuses.count { $0 == "403" } == 1)
        let refused = try clients[blocked].waitForLog("Cannot connect")
        #expect(refused["error.message"]?.contains("blocked") == true)
        #expect(try server.command("status").output.contains("1 token blocked"))
        // A reload leaves it so.
        #expect(try server.command("reload").exit == .code(0))
        #expect(try HTTPConnection.ask(port: port, token: [bad, good][blocked], "/echo") == "403")

        let again = server.log.count
        #expect(
            try server.command("unblock-token", "--hint", "blocked-...", "--tag", tags[0]).output
                == "1 token unblocked\n")
        try server.waitForSession(ofTunnel: "web", from: again)
        #expect(try HTTPConnection.ask(port: port, token: [bad, good][blocked], "/echo") != "403")
        #expect(!server.log.joined().contains(bad) && !server.log.joined().contains(good))
    }

    @Test func theLogSaysMoreForAWhile() throws {
        let agent = try AgentProcess(configuration: Configuration.server())
        #expect(try agent.command("log-level").output == "info\n")
        let more = try agent.command("log-level", "debug", "--for", "1s")
        #expect(more.output == "debug, for 1s; configured is info\n")
        try agent.waitForLog("The log has its configured level again", ["log.level": "info"])
        #expect(try agent.command("log-level").output == "info\n")

        #expect(try agent.command("log-level", "trace").output.hasPrefix("trace, until the next reload"))
        #expect(try agent.command("status").output.contains("log level trace in place of info"))
        #expect(try agent.command("reload").exit == .code(0))
        #expect(try agent.command("log-level").output == "info\n")
        #expect(try agent.command("log-level", "loud").exit == .code(64))
    }
}
