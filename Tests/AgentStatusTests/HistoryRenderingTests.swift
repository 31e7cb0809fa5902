import AgentStatus
import Testing

/// The history as a table.
@Suite struct HistoryRenderingTests {
    private static func event(_ at: Int64, _ kind: AgentEvent.Kind, _ message: String) -> HistoryEvent {
        var event = AgentEvent(kind, tunnel: "web", code: "timeout", message: message)
        event.at = at
        return HistoryEvent(id: at, event: event)
    }

    private static func request(_ at: Int64, status: Int?, _ outcome: String) -> HistoryRequest {
        HistoryRequest(
            id: at, standsFor: 3,
            request: RequestSnapshot(
                at: at, server: "public", tokenHint: "abcdefgh...", id: 1, method: "GET", path: "/a",
                status: status, requestBytes: 0, responseBytes: 0, firstByte: nil, duration: 1234.5,
                queue: 0.25, caller: "192.0.2.7", outcome: outcome))
    }

    @Test func timesAreThoseOfUTC() {
        for (at, text) in [
            (0, "1970-01-01 00:00:00"), (951_782_399_999, "2000-02-28 23:59:59"),
            (951_868_799_000, "2000-02-29 23:59:59"), (951_868_800_000, "2000-03-01 00:00:00"),
            (1_798_761_599_000, "2026-12-31 23:59:59"), (4_107_542_400_000, "2100-03-01 00:00:00"),
        ] as [(Int64, String)] {
            var page = HistoryPage(source: .file)
            page.events = [Self.event(at, .sessionUp, "x")]
            #expect(HistoryRendering.text(of: page).contains("\n\(text)  session-up"))
        }
    }

    @Test func whatWentWrongIsOneRowOfTime() {
        var page = HistoryPage(source: .memory)
        page.events = [Self.event(2000, .dialFailed, "refused"), Self.event(0, .originDown, "gone")]
        page.requests = [Self.request(1000, status: 502, "origin-failed")]
        let lines = HistoryRendering.text(of: page).split(separator: "\n")
        #expect(lines.count == 5)
        #expect(lines[1].contains("origin-down") && lines[1].hasSuffix("timeout: gone"))
        #expect(
            lines[2].contains(" 502 ")
                && lines[2].hasSuffix("public abcdefgh...  GET /a — origin-failed in 1234 ms"))
        #expect(lines[3].contains("dial-failed") && lines[4].hasPrefix("from memory"))
    }

    @Test func requestsSayHowManyTheyStandFor() {
        var page = HistoryPage(source: .file)
        page.requests = [Self.request(0, status: nil, "tunnel-lost")]
        let row = HistoryRendering.text(of: page).split(separator: "\n")[1].split(separator: " ")
        #expect(
            row.dropFirst(2) == [
                "public", "abcdefgh...", "-", "GET", "/a", "1234", "0.3", "-", "-", "3", "192.0.2.7",
                "tunnel-lost",
            ])
        page.requests = []
        #expect(HistoryRendering.text(of: page) == "nothing is known of that\n")
    }

    @Test func aFaultIsAProblem() {
        var snapshot = AgentSnapshot(
            software: "x", processID: 1, configurationFile: nil, phase: .running, startedAt: 0, takenAt: 100,
            generation: 1)
        snapshot.history = HistorySnapshot(file: "/h.db")
        #expect(snapshot.problems.isEmpty)
        #expect(StatusRendering.text(of: snapshot).contains("history: /h.db, 0 B, 0 events"))
        snapshot.history?.fault = "/h.db is locked"
        snapshot.history?.faultSince = 40
        #expect(snapshot.problems.map(\.words) == ["not in order — /h.db is locked"])
        #expect(snapshot.problems.map(\.since) == [40])
    }

    @Test func aCollectorThatTakesNothingForLongIsAProblem() {
        var snapshot = AgentSnapshot(
            software: "x", processID: 1, configurationFile: nil, phase: .running, startedAt: 0, takenAt: 100,
            generation: 1)
        snapshot.tracing = TracingSnapshot(collector: "http://c")
        #expect(snapshot.problems.isEmpty && snapshot.troubled.tracing == nil)
        let message = "cannot connect to c"
        snapshot.tracing?.fault = FaultSnapshot(code: .refused, message: message, at: 99, count: 3, since: 71)
        #expect(snapshot.problems.isEmpty)
        snapshot.takenAt = 101
        let problem = snapshot.problems.first
        #expect(problem?.subject == "tracing" && problem?.since == 71)
        #expect(problem?.words == "refused: cannot connect to c (3 times in a row)")
        #expect(snapshot.troubled.tracing == snapshot.tracing)
        #expect(StatusRendering.check(of: snapshot).hasPrefix("down: "))
    }
}
