import AgentStatus
import Synchronization
import TestSupport
import Testing

@testable import AdminAPI

/// What is asked of the history over HTTP.
@Suite(.timeLimit(.minutes(1))) struct HistoryOperationTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let target: String
        let words: String
        var testDescription: String { target }
    }

    @Test(arguments: [
        Example(target: "events?limit=0", words: "a whole number from 1 to 1000"),
        Example(target: "events?limit=1001", words: "a whole number from 1 to 1000"),
        Example(target: "events?since=yesterday", words: "\\\"since\\\" is to be"),
        Example(target: "events?since=-1", words: "\\\"since\\\" is to be"),
        Example(target: "events?kind=nothing", words: "session-down"),
        Example(target: "events?status=500", words: "\\\"status\\\", which is not known here"),
        Example(target: "requests?kind=error", words: "\\\"kind\\\", which is not known here"),
        Example(target: "requests?status=600", words: "\\\"status\\\" is to be"),
        Example(target: "minutes?errors-only=yes", words: "true or false"),
        Example(target: "minutes?before=0", words: "\\\"before\\\" is to be"),
    ])
    func whatMakesNoSenseIsRefused(example: Example) async throws {
        try await AdminWorld().run { world in
            let answer = try world.ask("GET", "/api/history/\(example.target)")
            #expect(answer.status == 400 && answer.text.contains(example.words), "\(answer.text)")
            #expect(world.agent.historyQueries.withLock { $0.isEmpty })
        }
    }

    @Test func parametersBecomeAQuery() throws {
        let now: Int64 = 1_764_546_000_000
        let query = try HistoryQuery(
            .requests,
            parameters: [
                "since": "1h30m", "until": "1764545999000", "limit": "7", "before": "9", "server": "public",
                "tunnel": "web", "status": "5xx", "errors-only": "true",
            ], now: now)
        var wanted = HistoryQuery(.requests)
        (wanted.since, wanted.until) = (now - 5_400_000, now - 1000)
        (wanted.limit, wanted.before, wanted.server, wanted.tunnel) = (7, 9, "public", "web")
        (wanted.status, wanted.errorsOnly) = (500...599, true)
        #expect(query == wanted)
        #expect(try HistoryQuery(.events, parameters: ["since": "99999999999h"], now: now).since == 0)
    }

    @Test func theClientAsksAndIsTold() async throws {
        try await AdminWorld().run { world in
            let client = AdminClient(socketPath: world.path)
            let page = try client.history(.events, [("tunnel", "a b&c=%"), ("limit", "3")])
            #expect(page.events?.map(\.event.tunnel) == ["a b&c=%"] && page.events?.map(\.id) == [7])
            let error = #expect(throws: AdminClientError.self) {
                try client.history(.events, [("server", "slow")])
            }
            #expect(error?.reason == .refused("that took too long"))
            #expect(try world.ask("GET", "/api/history/events?server=slow").status == 503)
            #expect(try world.ask("POST", "/api/history/events").status == 405)
        }
    }
}
