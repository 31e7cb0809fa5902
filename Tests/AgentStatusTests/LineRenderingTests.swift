import Testing

@testable import AgentStatus

/// Requests, events and log lines, a line each.
@Suite struct LineRenderingTests {
    private static let request = RequestSnapshot(
        at: 0, server: "public", tokenHint: "abcdefgh...", id: 7, method: "GET", path: "/a\u{1b}[2J",
        status: 200,
        requestBytes: 0, responseBytes: 2048, firstByte: 10, duration: 12.34, queue: 0.04, tunnel: 2,
        origin: 10.1,
        caller: "192.0.2.1", outcome: "ok")

    @Test func aRequestTellsWhereItsTimeWent() {
        #expect(
            RequestRendering.line(of: Self.request, time: "T")
                == "T 200 GET /a?[2J  12 ms (queue 0.0 ms, tunnel 2.0 ms, origin 10 ms)  in 0 B  out 2.0 KiB  from 192.0.2.1  server public  token abcdefgh..."
        )
        var lost = Self.request
        (lost.status, lost.outcome, lost.tokenHint, lost.queue) = (nil, "tunnel-lost", nil, nil)
        (lost.tunnel, lost.origin, lost.duration) = (nil, nil, 61_000)
        #expect(
            RequestRendering.line(of: lost, time: "T", style: TextStyle(width: nil, hasColour: true))
                == "T \u{1b}[31m---\u{1b}[0m GET /a?[2J  61 s  in 0 B  out 2.0 KiB  from 192.0.2.1  server public  tunnel-lost"
        )
    }

    @Test func whatWentWrongIsAFailure() {
        var request = Self.request
        #expect(!request.isFailure)
        request.status = 404
        #expect(!request.isFailure)
        request.status = 502
        #expect(request.isFailure)
        (request.status, request.outcome) = (200, "origin-failed")
        #expect(request.isFailure)
    }

    @Test func anEventIsALine() {
        var event = AgentEvent(
            .sessionDown, server: "public", tunnel: "web\n", tokenHint: "abcdefgh...", session: 3,
            address: "192.0.2.1", code: "keepalive-timeout", message: "nothing was heard")
        #expect(
            EventRendering.line(of: event, time: "T")
                == "T session-down  server public  tunnel web?  token abcdefgh...  session 3  192.0.2.1  keepalive-timeout: nothing was heard"
        )
        event = AgentEvent(.loadShed, code: "", message: "over")
        #expect(EventRendering.line(of: event, time: "T") == "T load-shed  over")
    }

    @Test func aLineOfTheLogIsOne() {
        let entry = LogEntry(
            id: 1, at: 0, level: "warning", logger: "client", message: "Cannot\u{202e} connect",
            fields: ["tunnel.name": "web", "error.message": "it \"broke\"\n", "empty": ""])
        #expect(
            LogRendering.line(of: entry, time: "T")
                == "T WARNING  client: Cannot? connect empty=\"\" error.message=\"it \\\"broke\\\"?\" tunnel.name=web"
        )
    }
}
