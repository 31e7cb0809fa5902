import Foundation
import TestSupport
import Testing

/// Names of sessions that are nobody's. Beside the others, as it waits most of its time.
@Suite(.timeLimit(.minutes(2))) struct HostilePollNameTests {
    /// What an answer is made of, but for the time.
    private static func look(_ answer: HTTPResponse) -> [String] {
        [answer.head.startLine, answer.text]
            + answer.head.fields.filter { $0.name.lowercased() != "date" }.map { "\($0.name): \($0.value)" }
    }

    private static func ask(_ port: Int, named session: String) throws -> HTTPResponse {
        let connection = try HTTPConnection(port: port)
        defer { connection.close() }
        try PollingPeer.send(PollFrame(number: 1).bytes, of: session, on: connection)
        return try connection.readResponse()
    }

    @Test func whoseNameIsNobodysGetsTheSameWhateverItIs() throws {
        let agent = try BesiegedAgent()
        // Half made: one that nobody touches, and one that somebody looks at.
        let token = uniqueToken()
        let untouched = try PollingPeer(port: agent.port, token: token, settings: nil)
        let lookedAt = try PollingPeer(port: agent.port, token: token, settings: nil)
        let forgotten = ContinuousClock.now + .milliseconds(10_500)
        let look = try lookedAt.connection.exchange(
            "GET", PollingPeer.path, fields: [("X-Tunnel-Session", lookedAt.session)])
        #expect(look.status == 400)

        let living = try PollingPeer(port: agent.port, token: token)
        let ended = try PollingPeer(port: agent.port, token: token)
        #expect(try ended.exchange(PollFrame(number: 9, acknowledged: 1 << 40)).status == 410)
        let other = try BesiegedAgent()
        let name = living.session
        let names = [
            String(repeating: "0", count: 32), String(name.prefix(16)) + String(repeating: "0", count: 16),
            String(name.dropLast()), name + "0", String(name.dropLast()) + "g", name.uppercased() + "A", "",
            "é",
            "e\u{301}e\u{301}", String(repeating: "a", count: 60_000), ended.session,
        ]
        let first = Self.look(try Self.ask(agent.port, named: names[0]))
        #expect(first.first?.hasPrefix("HTTP/1.1 410 ") == true)
        for name in names {
            #expect(Self.look(try Self.ask(agent.port, named: name)) == first, "\(name.prefix(80))")
        }
        #expect(Self.look(try Self.ask(other.port, named: name)) == first, "another server's")

        // The clock alone says when they are forgotten; the next who comes sweeps.
        while ContinuousClock.now < forgotten { usleep(20_000) }
        _ = try PollingPeer(port: agent.port, token: token, settings: nil)
        #expect(Self.look(try Self.ask(agent.port, named: untouched.session)) == first, "too late")
        let answer = Self.look(try Self.ask(agent.port, named: lookedAt.session))
        #expect(answer == first)
        #expect(try living.poll().number == living.number)
        let log = agent.agent.log.joined(separator: "\n")
        for secret in [living.session, ended.session, untouched.session, token] {
            #expect(!log.contains(secret))
        }
    }
}
