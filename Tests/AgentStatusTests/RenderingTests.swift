import AgentStatus
import Testing

@Suite struct RenderingTests {
    private var snapshot: AgentSnapshot {
        AgentSnapshot(
            software: "wstunnel 1", processID: 42, configurationFile: "tunnels.yaml", phase: .running,
            startedAt: 1000, takenAt: 1000 + 3723, generation: 3,
            lastReload: ReloadSnapshot(
                trigger: "SIGHUP", finishedAt: 4663, durationMilliseconds: 3, outcome: .refused,
                generation: 3,
                errors: ["tunnels.yaml:1:1: the file is empty"]),
            servers: [
                ServerSnapshot(
                    name: "public", state: .listening, address: "127.0.0.1:8080", tunnels: 2, sessions: 4,
                    callers: 1, waiting: 0,
                    traffic: TrafficSnapshot(
                        requests: 1234, requestBytes: 5, responseBytes: 3 << 20, requestsPerSecond: 12.34))
            ],
            tunnels: [
                TunnelSnapshot(
                    name: "web", state: .connected, server: "ws://127.0.0.1:8080", tokenHint: "abcdefgh...",
                    wanted: 2,
                    connections: [
                        ConnectionSnapshot(id: 1, protocolVersion: 2, since: 1000, isDraining: false)
                    ], lastFault: FaultSnapshot(code: "unreachable", message: "refused\u{1b}[2J", at: 4720))
            ])
    }

    @Test func aStatusIsTablesForPeople() {
        #expect(
            StatusRendering.text(of: snapshot) == """
                wstunnel 1, process 42, running for 1h2m, generation 3
                last reload (SIGHUP) 1m0s ago: refused
                  tunnels.yaml:1:1: the file is empty

                SERVER  STATE      ADDRESS         TUNNELS  SESSIONS  CALLERS  WAITING  REQUESTS  REQ/S   IN      OUT
                public  listening  127.0.0.1:8080        2         4        1        0      1234     12  5 B  3.0 MiB

                TUNNEL  STATE      SERVER               TOKEN        SESSIONS  REQUESTS  REQ/S   IN  OUT
                web     connected  ws://127.0.0.1:8080  abcdefgh...       1/2         0      -  0 B  0 B

                LAST FAULT OF  AGO  WHAT
                tunnel web     3s   unreachable: refused?[2J

                """)
    }

    @Test func aPlanIsALineForEachAction() {
        let plan = PlanSnapshot(
            actions: [
                .init(verb: .update, kind: .agent, name: "", changes: ["log.level"]),
                .init(verb: .start, kind: .server, name: "new"),
                .init(verb: .replace, kind: .tunnel, name: "web", changes: ["password", "timeout"]),
                .init(verb: .stop, kind: .tunnel, name: "a-longer-name"),
            ], notes: ["log.syslog: the change takes a restart"])
        #expect(
            PlanRendering.text(of: plan) == """
                ~ update   agent                  log.level
                + start    server  new
                ± replace  tunnel  web            password, timeout
                - stop     tunnel  a-longer-name
                ! log.syslog: the change takes a restart
                4 changes

                """)
        #expect(PlanRendering.text(of: PlanSnapshot()) == "no changes\n")
    }
}
