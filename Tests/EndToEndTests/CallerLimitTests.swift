import Foundation
import TestSupport
import Testing

/// Callers that go beyond what `limits` let them have: what they are told, and that others do not notice.
@Suite(.timeLimit(.minutes(2))) struct CallerLimitTests {
    private static func get(
        _ agent: BesiegedAgent, from source: UInt8, token: String = BesiegedAgent.token
    ) throws -> HTTPResponse {
        let connection = try HTTPConnection(port: agent.port, from: source)
        defer { connection.close() }
        return try connection.exchange("GET", "/", fields: [("X-Token", token)])
    }

    /// By a name, without a token.
    private static func get(_ agent: BesiegedAgent, host: String) throws -> HTTPResponse {
        let connection = try HTTPConnection(port: agent.port)
        defer { connection.close() }
        try connection.send("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        return try connection.readResponse()
    }

    @Test func anAddressThatAsksTooOftenIsToldWhichLimitItMet() throws {
        let agent = try BesiegedAgent(server: [
            "limits: { per-address: { requests-per-second: 1, requests-burst: 5 } }"
        ])
        // On one connection: what is refused ends nothing.
        let loud = try HTTPConnection(port: agent.port, from: 2)
        let answers = try (0..<40).map { _ in
            try loud.exchange("GET", "/", fields: [("X-Token", BesiegedAgent.token)])
        }
        #expect(answers.prefix(5).allSatisfy { $0.status == 200 })
        let refused = try #require(answers.last { $0.status == 429 })
        #expect(answers.count { $0.status == 429 } > 20)
        #expect(refused.head["X-Limit"] == "per-address.requests-per-second")
        #expect(refused.head["Retry-After"] == "1")
        #expect(
            refused.text
                == "Too many requests from this address (limit: per-address.requests-per-second)\n")
        #expect(try Self.get(agent, from: 3).status == 200, "another address")
        let line = try agent.agent.waitForLog(
            "Limit reached", ["limit": "per-address.requests-per-second", "peer.address": "127.0.0.2"])
        #expect(line["times"] == "1" && line["level"] == "warning")
        #expect(agent.agent.log.count { $0.contains("status=429") } == 0, "nobody fills the log")
    }

    @Test func asManyRequestsAreUnderWayAsMayAndWhoLeavesMakesRoom() throws {
        let gate = Gate()
        let (came, bodyIsAwaited) = (Gate(), Gate())
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                if request.target == "/wait" {
                    came.open()
                    try gate.wait(within: .seconds(600))
                }
                if request.target == "/body" { bodyIsAwaited.open() }
                _ = try connection.readBody(of: request)
                try connection.respond(body: Array("whole".utf8))
            }
        }
        defer { gate.open() }
        let agent = try BesiegedAgent(
            server: ["limits: { per-address: { requests: 1 }, per-token: { requests: 2 } }"],
            origin: origin.url)
        let waiting = try HTTPConnection(port: agent.port, from: 2)
        try waiting.send("GET", "/wait", fields: [("X-Token", BesiegedAgent.token)])
        try came.wait()
        let refused = try Self.get(agent, from: 2)
        #expect(refused.status == 429 && refused.head["X-Limit"] == "per-address.requests")
        #expect(try Self.get(agent, from: 3).status == 200)
        let second = try HTTPConnection(port: agent.port, from: 4)
        try second.send("POST", "/body", fields: [("X-Token", BesiegedAgent.token), ("Content-Length", "9")])
        try bodyIsAwaited.wait()
        let full = try Self.get(agent, from: 3)
        #expect(full.status == 429 && full.head["X-Limit"] == "per-token.requests")
        #expect(full.text == "Too many requests for this tunnel at once (limit: per-token.requests)\n")
        // Who leaves before the answer makes room as who gets it does.
        waiting.reset()
        while try Self.get(agent, from: 2).status != 200 {}
    }

    @Test func bytesAreHeldBackNotRefused() throws {
        let agent = try BesiegedAgent(server: [
            "limits: { per-token: { bytes-per-second: 1MiB, bytes-burst: 64KiB } }"
        ])
        let body = SplitMix64(seed: 1).sequence(1 << 20)
        let clock = ContinuousClock()
        let start = clock.now
        for _ in 0..<2 {
            let answer = try HTTPConnection(port: agent.port).exchange(
                "POST", "/", fields: [("X-Token", BesiegedAgent.token)], body: body)
            #expect(answer.status == 200)
            #expect(answer.body.count >= body.count)
        }
        // Four MiB, of which the last may be in windows and buffers when they have been paid for.
        #expect(clock.now - start > .seconds(2))
        try agent.agent.waitForLog("Limit reached", ["limit": "per-token.bytes-per-second"])
    }

    @Test func aNameHasLimitsOfItsOwn() throws {
        let agent = try BesiegedAgent(server: [
            "hosts: [{ host: a.example.com, token: \(BesiegedAgent.token) }, { host: b.example.com, token: \(BesiegedAgent.token) }]",
            "limits: { per-name: { requests-per-second: 1, requests-burst: 3 } }",
        ])
        let ask = { try Self.get(agent, host: $0) }
        let answers = try ["a.example.com", "A.example.com:80", "a.example.com."].map(ask)
        #expect(answers.allSatisfy { $0.status == 200 })
        let refused = try (0..<10).map { _ in try ask("a.example.com") }
        #expect(refused.contains { $0.head["X-Limit"] == "per-name.requests-per-second" })
        #expect(try ask("b.example.com").status == 200)
        for _ in 0..<5 { #expect(try agent.request().status == 200, "by its token, of any name") }
    }

    @Test func anEntryOfHostsHasLimitsInPlaceOfThoseOfAllNames() throws {
        let agent = try BesiegedAgent(server: [
            "hosts: [{ host: \"*.example.com\", token: \(BesiegedAgent.token), limits: { requests-per-second: 1, requests-burst: 6 } }, { host: free.example.com, token: \(BesiegedAgent.token), limits: {} }, { host: plain.example.com, token: \(BesiegedAgent.token) }]",
            "limits: { per-name: { requests-per-second: 1, requests-burst: 2 } }",
        ])
        let ask = { try Self.get(agent, host: $0) }
        // All hosts of a pattern together.
        let answers = try (0..<20).map { try ask("host-\($0).example.com") }
        #expect(answers.prefix(6).allSatisfy { $0.status == 200 })
        let refused = try #require(answers.last { $0.status == 429 })
        #expect(refused.head["X-Limit"] == "per-name.requests-per-second")
        for _ in 0..<10 { #expect(try ask("free.example.com").status == 200) }
        let plain = try (0..<10).map { _ in try ask("plain.example.com").status }
        #expect(plain.prefix(2) == [200, 200] && plain.contains(429))
    }

    @Test func whatIsNotEnforcedIsToldAlone() throws {
        let agent = try BesiegedAgent(server: [
            "limits: { enforce: false, per-address: { requests-per-second: 1, requests-burst: 1 } }"
        ])
        for _ in 0..<10 { #expect(try agent.request().status == 200) }
        try agent.agent.waitForLog(
            "Limit reached, not enforced", ["limit": "per-address.requests-per-second"])
    }

    @Test func aTokensOwnLimitsStandInPlaceOfThoseOfAllAndAReloadKeepsCounts() throws {
        let agent = try BesiegedAgent(
            server: [
                "passwords: [{ token: \(BesiegedAgent.token), password: right, limits: { requests-per-second: 1, requests-burst: 8 } }]",
                "limits: { per-token: { requests-per-second: 1, requests-burst: 1 } }",
            ], password: "right")
        let answers = try (0..<12).map { _ in try agent.request() }
        #expect(answers.prefix(8).allSatisfy { $0.status == 200 })
        #expect(answers.contains { $0.head["X-Limit"] == "per-token.requests-per-second" })
        // In place: what was counted stays so.
        let text = try String(contentsOfFile: agent.agent.configurationPath, encoding: .utf8)
        try agent.agent.folder.write(
            text.replacingOccurrences(of: "requests-burst: 8", with: "requests-burst: 9"), to: "tunnels.yaml")
        let lines = agent.agent.log.count
        agent.process.send(signal: SIGHUP)
        try agent.agent.waitForLog("Configuration applied", from: lines)
        let after = try (0..<12).map { _ in try agent.request() }
        #expect(after.count { $0.status == 200 } < 8)
    }

    @Test func oneAddressHasSoManyConnectionsUnlessItSpeaksForMany() throws {
        let agent = try BesiegedAgent(server: [
            "limits: { per-address: { connections: 10 } }", "trusted-proxies: [127.0.0.9]",
        ])
        let taken = try (0..<10).map { _ in try HTTPConnection(port: agent.port, from: 2) }
        for caller in taken { #expect(try caller.exchange("GET", "/_health_check").status == 200) }
        let refused = try HTTPConnection(port: agent.port, from: 2).readResponse()
        #expect(refused.status == 429 && refused.head["X-Limit"] == "per-address.connections")
        #expect(try Self.get(agent, from: 3).status == 200)
        try agent.agent.waitForLog("Connection refused", ["peer.address": "127.0.0.2"])
        let proxied = try (0..<20).map { _ in try HTTPConnection(port: agent.port, from: 9) }
        for caller in proxied { #expect(try caller.exchange("GET", "/_health_check").status == 200) }
    }

    @Test func slowHeadsAndBodiesAreToldSo() throws {
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                let body = try connection.readBody(of: request)
                try connection.respond(text: "\(body.count)")
            }
        }
        let agent = try BesiegedAgent(
            server: ["limits: { head-timeout: 1s, body-rate: 1KiB, body-timeout: 1s }"], origin: origin.url)
        let head = try HTTPConnection(port: agent.port)
        try head.send("GET / HT")
        let lateHead = try head.readResponse()
        #expect(lateHead.status == 408 && lateHead.head["X-Limit"] == "head-timeout")

        let drip = try HTTPConnection(port: agent.port)
        try drip.send(
            "POST", "/", fields: [("X-Token", BesiegedAgent.token), ("Content-Length", "100000")])
        try drip.send("x")
        let lateBody = try drip.readResponse()
        #expect(lateBody.status == 408 && lateBody.head["X-Limit"] == "body-rate")
        #expect(lateBody.text == "The request's body came too slowly (limit: body-rate)\n")
        #expect(drip.waitForEnd() != .timedOut)

        let answer = try HTTPConnection(port: agent.port).exchange(
            "POST", "/", fields: [("X-Token", BesiegedAgent.token)],
            body: SplitMix64(seed: 2).sequence(4 << 20))
        #expect(answer.status == 200 && answer.text == "\(4 << 20)")
        try agent.agent.waitForLog("Request", ["status": "408", "outcome": "caller-failed"])
    }
}
