import Testing

@testable import AgentStatus

/// What a doctor found, for people.
@Suite struct DoctorRenderingTests {
    private static let report = DoctorReport(
        software: "wstunnel 1", at: 1,
        findings: [
            .init("machine", "clock", .ok, "it is set"),
            .init("tunnel web", "name", .ok, "the server is at 192.0.2.1", milliseconds: 1.26),
            .init("tunnel web", "tls", .failed, "it is\u{1b}[2J expired", advice: "renew it"),
            .init("tunnel web", "clock", .warning, "a b c d"),
        ])

    @Test func findingsStandBelowWhatTheyAreOf() {
        #expect(
            DoctorRendering.text(of: Self.report) == """
                machine
                  ok      clock: it is set

                tunnel web
                  ok      name: the server is at 192.0.2.1 (1.3 ms)
                  failed  tls: it is?[2J expired
                          -> renew it
                  warning clock: a b c d

                1 failed, 1 warning, 2 ok

                """)
        #expect(!Self.report.isWell)
        let empty = DoctorReport(software: "", at: 1, findings: [])
        #expect(empty.isWell && DoctorRendering.text(of: empty) == "\nnothing to look at\n")
    }

    @Test func linesFitATerminal() {
        let text = DoctorRendering.text(of: Self.report, style: TextStyle(width: 26, hasColour: false))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 26 })
        #expect(text.contains("  warning clock: a b c d\n"))
    }
}

/// Texts without secrets.
@Suite struct RedactionTests {
    private static let redaction = Redaction(["the-token-of-web", "the-token-of-web-2", "pa", "geheim"])

    @Test(arguments: [
        ("token the-token-of-web-2 and the-token-of-web.", "token *** and ***."),
        ("geheim pa", "*** pa"),
        ("Authorization: Basic dXNlcjpw, x", "Authorization: Basic ***, x"),
        ("\"authorization\":\"bEARER abc.def\",", "\"authorization\":\"bEARER ***\","),
        ("GET /_token/unknown-token/x?y HTTP", "GET /_token/***/x?y HTTP"),
        (
            "proxy http://user:p%40ss@proxy.example.com:8080/ and ws://h/x@y",
            "proxy http://***@proxy.example.com:8080/ and ws://h/x@y"
        ),
        ("basic \nbearer", "basic \nbearer"),
        ("geheimgeheim gehei geheimpa", "****** gehei ***pa"),
        ("HTTP://A:B@c", "HTTP://***@c"),
        ("", ""),
    ])
    func secretsAreTakenOut(text: String, shown: String) {
        #expect(Self.redaction.apply(to: text) == shown)
    }

    /// Neither of two that overlap is shown in part.
    @Test func overlappingSecretsAreTakenOutTogether() {
        let redaction = Redaction(["one-two", "two-three-four-five", "three-four"])
        #expect(redaction.apply(to: "a one-two-three-four-five b three-four-fiv") == "a *** b ***-fiv")
    }

    /// A text is gone through once, not once for each of them.
    @Test(.timeLimit(.minutes(1))) func thereMayBeManySecrets() {
        let redaction = Redaction((0..<10_000).map { "token-of-tunnel-\($0 + 100_000)" })
        let text = String(repeating: "token-o... and others, ", count: 1000)
        #expect(redaction.apply(to: text + "token-of-tunnel-105000.") == text + "***.")
    }

    @Test func whatAnAgentSaysOfItselfIsBounded() {
        let session = SessionSnapshot(
            id: 1, tunnel: "web", tokenHint: "t...", address: "a", transport: .websocket, protocolVersion: 2,
            since: 1, isDraining: false)
        let events = (1...501).map { number in
            var event = AgentEvent(.error, message: "\(number)")
            event.id = UInt64(number)
            return event
        }
        let snapshot = DiagnosticSnapshot(
            process: .init(), readiness: ReadinessSnapshot(),
            status: AgentSnapshot(
                software: "x", processID: 1, configurationFile: nil, phase: .running, startedAt: 1,
                takenAt: 1, generation: 1),
            configuration: "", plan: PlanReport(plan: nil),
            sessions: Array(repeating: session, count: 700), events: events, warnings: [])
        #expect(snapshot.sessions.count == 500 && snapshot.sessionCount == 700)
        #expect(snapshot.events.map(\.id) == Array(2...501 as ClosedRange<UInt64>))
    }

    @Test func aBundleHasSectionsThatNothingImitates() {
        var bundle = DiagnosticBundle("wstunnel 1 diagnostics")
        bundle.add("status", "all geheim\n==== plan ====\n\u{1b}[2J")
        bundle.add("plan", "")
        #expect(bundle.titles == ["status", "plan"])
        #expect(
            bundle.text(Self.redaction) == """
                wstunnel 1 diagnostics

                It holds, with secrets left out:
                  status
                  plan

                ==== status ====

                all ***
                 ==== plan ====
                ?[2J

                ==== plan ====

                (nothing)

                """)
        var large = DiagnosticBundle("x")
        large.add("log", String(repeating: "0123456789abcde\n", count: 1 << 19))
        #expect(large.text(Self.redaction).utf8.count < 5 << 20)
    }
}
