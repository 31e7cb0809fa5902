import Foundation
import Glibc
import TestSupport
import Testing

/// Addresses that guess too often are shut out, and nobody else is.
@Suite(.timeLimit(.minutes(5))) struct BanTests {
    private static let isSlow = ProcessInfo.processInfo.environment["WSTUNNEL_SLOW_TESTS"] != nil

    /// One request on a connection of its own; nil where that is closed without a word.
    private static func ask(
        _ port: Int, token: String, from source: UInt8, fields: [(String, String)] = []
    ) throws -> HTTPResponse? {
        let connection = try HTTPConnection(port: port, from: source)
        defer { connection.close() }
        do {
            return try connection.exchange("GET", "/", fields: [("X-Token", token)] + fields)
        } catch is StreamEnd {
            return nil
        }
    }

    private static func knock(_ port: Int, password: String, from source: UInt8) throws -> Int? {
        let connection = try HTTPConnection(port: port, from: source)
        defer { connection.close() }
        let credentials = Data("\(BesiegedAgent.token):\(password)".utf8).base64EncodedString()
        do {
            return try connection.exchange(
                "GET", "/_tunnel",
                fields: [
                    ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Origin", BesiegedAgent.token),
                    ("Authorization", "Basic \(credentials)"),
                ]
            ).status
        } catch is StreamEnd {
            return nil
        }
    }

    private static func run(_ arguments: String...) throws -> String {
        let process = try wstunnel(arguments)
        try process.standardOutput.waitForEnd()
        _ = try process.waitForExit()
        return process.standardOutput.lines.joined(separator: "\n")
    }

    @Test func whoGuessesTokensIsShutOutAndMayBeLetInAgain() throws {
        let agent = try BesiegedAgent(server: ["ban: { after: 20, never: [127.0.0.1] }"])
        let kept = try HTTPConnection(port: agent.port, from: 2)
        #expect(
            try kept.exchange("GET", "/", fields: [("X-Token", BesiegedAgent.token)]).status == 200)
        #expect(try Self.run("bans", agent.agent.configurationPath) == "nobody is banned")
        let count = Self.isSlow ? 100_000 : 500
        let answers = try (0..<count).map {
            try Self.ask(agent.port, token: "guess-number-\(1_000_000 + $0)", from: 2)?.status
        }
        #expect(answers.prefix(20).allSatisfy { $0 == 404 })
        #expect(answers.dropFirst(21).allSatisfy { $0 == nil })
        // Nor is a good token of use there, also where it is asked on a connection from before.
        #expect(try Self.ask(agent.port, token: BesiegedAgent.token, from: 2) == nil)
        let told = try kept.exchange("GET", "/", fields: [("X-Token", BesiegedAgent.token)])
        #expect(told.status == 429 && told.head["X-Limit"] == "ban" && told.head["Connection"] == "close")
        #expect((Int(told.head["Retry-After"] ?? "") ?? 0) > 100)
        #expect(try Self.ask(agent.port, token: BesiegedAgent.token, from: 3)?.status == 200)

        let line = try agent.agent.waitForLog("Address banned", ["peer.address": "127.0.0.2"])
        #expect(line["ban.seconds"] == "600" && line["times"] == "1" && line["level"] == "warning")
        let lines = agent.agent.log.count
        let list = try Self.run("bans", agent.agent.configurationPath)
        #expect(list.contains("127.0.0.2") && list.contains("public"))
        #expect(
            try Self.run("bans", "--format", "json", agent.agent.configurationPath)
                .contains(#""address" : "127.0.0.2""#))
        #expect(try Self.run("unban", "127.0.0.3", agent.agent.configurationPath) == "0 bans lifted")
        #expect(try Self.run("unban", "127.0.0.2", agent.agent.configurationPath) == "1 ban lifted")
        try agent.agent.waitForLog("Ban lifted", ["peer.address": "127.0.0.2"], from: lines)
        #expect(try Self.ask(agent.port, token: BesiegedAgent.token, from: 2)?.status == 200)
    }

    @Test func whoGuessesPasswordsIsSlowedDownThenShutOut() throws {
        let agent = try BesiegedAgent(
            server: [
                "passwords: [{ token: \(BesiegedAgent.token), password: right }]",
                "ban: { after: 50, for: 1s, longest: 2s, never: [127.0.0.1] }",
            ], password: "right")
        // The one that a client goes on trying is no guess.
        for _ in 0..<100 { _ = try Self.knock(agent.port, password: "old", from: 4) }
        #expect(try Self.ask(agent.port, token: BesiegedAgent.token, from: 4)?.status == 200)
        let count = Self.isSlow ? 10_000 : 200
        let answers = try (0..<count).map { try Self.knock(agent.port, password: "wrong \($0)", from: 2) }
        #expect(answers.prefix(10).allSatisfy { $0 == 401 })
        #expect(answers.dropFirst(15).prefix(30).allSatisfy { $0 == 429 })
        #expect(answers.contains(nil))
        let first = try agent.agent.waitForLog("Address banned", ["peer.address": "127.0.0.2", "times": "1"])
        #expect(first["ban.seconds"] == "1")
        // It ends by itself, of which nobody tells: it is asked until it shows.
        while try Self.ask(agent.port, token: BesiegedAgent.token, from: 2)?.status != 200 {}
        let lines = agent.agent.log.count
        for number in 0..<200 { _ = try Self.knock(agent.port, password: "wrong again \(number)", from: 2) }
        let second = try agent.agent.waitForLog(
            "Address banned", ["times": "2"], from: Self.isSlow ? 0 : lines)
        #expect(second["ban.seconds"] == "2")
        #expect(try Self.knock(agent.port, password: "right", from: 3) == 101)
        #expect(try agent.request().status == 200)
    }

    @Test func aTrustedProxysWordCountsAndAStrangersDoesNot() throws {
        let agent = try BesiegedAgent(server: [
            "ban: { after: 20, never: [127.0.0.1] }", "trusted-proxies: [127.0.0.9]",
        ])
        for number in 0..<60 {
            _ = try Self.ask(
                agent.port, token: "guess-number-\(1_000_000 + number)", from: 9,
                fields: [("X-Forwarded-For", "203.0.113.5")])
            // Blames another.
            _ = try Self.ask(
                agent.port, token: "guess-number-\(2_000_000 + number)", from: 2,
                fields: [("X-Forwarded-For", "203.0.113.\(number + 100)")])
        }
        let behind = { (address: String) in
            try Self.ask(
                agent.port, token: BesiegedAgent.token, from: 9, fields: [("X-Forwarded-For", address)])
        }
        let told = try #require(try behind("203.0.113.5"))
        #expect(told.status == 429 && told.head["X-Limit"] == "ban")
        #expect(told.head["Connection"] == nil, "the proxy's connection is everybody's")
        #expect(try behind("203.0.113.100")?.status == 200)
        #expect(try Self.ask(agent.port, token: BesiegedAgent.token, from: 9)?.status == 200)
        #expect(try Self.ask(agent.port, token: BesiegedAgent.token, from: 2) == nil)
    }

    @Test func thisMachineIsNotShutOutUnlessItIsAskedFor() throws {
        let agent = try BesiegedAgent()
        for number in 0..<300 {
            _ = try Self.ask(agent.port, token: "guess-number-\(1_000_000 + number)", from: 2)
        }
        #expect(try Self.ask(agent.port, token: BesiegedAgent.token, from: 2)?.status == 200)
        #expect(!agent.agent.log.contains { $0.contains("Address banned") })
    }

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/fail2ban-regex")),
        arguments: ["text", "logfmt", "json"])
    func fail2banReadsTheLine(_ format: String) throws {
        let port = try freePort()
        let folder = try TemporaryFolder()
        let configuration = try folder.write(
            """
            log: { format: \(format) }
            servers:
              - { name: public, host: 127.0.0.1, port: \(port), ban: { after: 5, never: [] } }
            """, to: "tunnels.yaml")
        let agent = try wstunnel(["--config", configuration])
        try agent.standardError.waitForLine(containing: "Agent running")
        // What strangers write is no line of ours, whatever it looks like.
        let forged = #"/WARN%20server:"message":"Address%20banned"peer.address=198.51.100.1"#
        _ = try HTTPConnection(port: port, from: 3).exchange(
            "GET", forged, fields: [("X-Token", "guess-number-of-a-forger")])
        for number in 0..<10 {
            _ = try Self.ask(port, token: "guess-number-\(1_000_000 + number)", from: 2)
        }
        try agent.standardError.waitForLine(containing: "Address banned")
        let text = agent.standardError.lines.joined(separator: "\n") + "\n"
        let log = try folder.write(text, to: "wstunnel.log")
        let filter = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "config/fail2ban/filter.d/wstunnel.conf").path
        let check = try ChildProcess(["/usr/bin/fail2ban-regex", "-o", "<ip>", log, filter])
        try check.standardOutput.waitForEnd()
        #expect(check.standardOutput.lines.filter { !$0.isEmpty } == ["127.0.0.2"], "\(text)")
    }
}
