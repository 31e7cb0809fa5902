import Foundation
import Testing

@testable import AgentStatus

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
                        requests: 1234, requestBytes: 5, responseBytes: 3 << 20, requestsPerSecond: 12.34),
                    connected: [
                        ConnectedToken(
                            name: "", tokenHint: "abcdefgh...", tokenTag: "00002a", address: "::1",
                            software: "",
                            protocolVersion: 1, clients: 1, sessions: 1, requests: 0, pending: 0, since: 4720),
                        ConnectedToken(
                            name: "web", tokenHint: "abcdefgh...", tokenTag: "3fa2c1", address: "10.0.0.1",
                            software: "wstunnel 2\u{202e}x", protocolVersion: 2, clients: 2, sessions: 3,
                            requests: 17, pending: 1, since: 1000),
                    ], moreConnected: 5)
            ],
            tunnels: [
                TunnelSnapshot(
                    name: "web", state: .connected, server: "ws://127.0.0.1:8080", tokenHint: "abcdefgh...",
                    wanted: 2,
                    connections: [
                        ConnectionSnapshot(id: 1, protocolVersion: 2, since: 1000, isDraining: false)
                    ], lastFault: FaultSnapshot(code: .unreachable, message: "refused\u{9b}[2J", at: 4720))
            ])
    }

    private var broken: AgentSnapshot {
        var broken = snapshot
        broken.servers[0].faults = [
            FaultSnapshot(code: .noDescriptors, message: "too many open files", at: 4710, since: 4700)
        ]
        broken.tunnels += [
            TunnelSnapshot(
                name: "down", state: .connecting, server: "ws://h:1", tokenHint: "x...", wanted: 1,
                lastFault: FaultSnapshot(
                    code: .unreachable, message: "connection refused", at: 4720, count: 1200, since: 1000)),
            TunnelSnapshot(name: "gone", state: .gaveUp, server: "ws://h:1", tokenHint: "y...", wanted: 1),
        ]
        return broken
    }

    @Test func aStatusIsTablesForPeople() {
        #expect(
            StatusRendering.text(of: snapshot) == """
                wstunnel 1, process 42, running for 1h2m, generation 3
                1 server with 2 connected tokens, 1 tunnel: all up
                last reload (SIGHUP) 1m0s ago: refused
                  tunnels.yaml:1:1: the file is empty

                SERVER  STATE      ADDRESS         TUNNELS  SESSIONS  CALLERS  WAITING  REQUESTS  REQ/S   IN      OUT
                public  listening  127.0.0.1:8080        2         4        1        0      1234     12  5 B  3.0 MiB

                CONNECTED TO  NAME  TOKEN               ADDRESS   SOFTWARE      PROTOCOL  CLIENTS  SESSIONS  REQUESTS  PENDING   FOR
                public        -     abcdefgh... 00002a  ::1       -             v1              1         1         0        0    3s
                public        web   abcdefgh... 3fa2c1  10.0.0.1  wstunnel 2?x  v2              2         3        17        1  1h2m
                and 5 connected tokens more; --tunnel NAME shows those of one name

                TUNNEL  STATE      SERVER               TOKEN        SESSIONS  REQUESTS  REQ/S   IN  OUT
                web     connected  ws://127.0.0.1:8080  abcdefgh...       1/2         0      -  0 B  0 B

                LAST FAULT OF  AGO  WHAT
                tunnel web     3s   unreachable: refused?[2J

                """)
    }

    /// What is wrong comes first, and is told once.
    @Test func problemsComeFirst() {
        let text = StatusRendering.text(of: broken)
        #expect(
            text.hasPrefix(
                """
                wstunnel 1, process 42, running for 1h2m, generation 3
                1 server with 2 connected tokens, 3 tunnels: 3 problems
                last reload (SIGHUP) 1m0s ago: refused
                  tunnels.yaml:1:1: the file is empty

                PROBLEM        SINCE  WHAT
                server public  23s    no-descriptors: too many open files
                tunnel down    1h2m   connecting — unreachable: connection refused (1200 times in a row)
                tunnel gone    -      gave-up

                SERVER
                """))
        #expect(text.components(separatedBy: "connection refused").count == 2)
        #expect(
            StatusRendering.problems(of: broken)
                == text.components(separatedBy: "\n\nSERVER").first.map { $0 + "\n" })
        #expect(broken.troubled.tunnels.map(\.name) == ["down", "gone"])
        #expect(broken.troubled.servers.map(\.name) == ["public"])
        #expect(snapshot.troubled.servers.isEmpty && snapshot.troubled.tunnels.isEmpty)
    }

    @Test func aTunnelWhosePredecessorStillAnswersIsNotDown() {
        var broken = broken
        var old = snapshot.tunnels[0]
        (old.name, old.state) = ("down", .draining)
        broken.tunnels.append(old)
        #expect(broken.problems.map(\.subject) == ["server public", "tunnel gone"])
    }

    @Test func aServerWhoseListenerBrokeIsAProblem() {
        var broken = snapshot
        broken.servers[0].state = .failed
        #expect(broken.problems == [AgentProblem(subject: "server public", words: "failed", since: nil)])
    }

    @Test func whatRunsShortIsToldWithItsFiguresAndIsAProblem() throws {
        var loaded = snapshot
        var load = LoadSnapshot(
            stage: 0, cause: nil, since: 4700, isEnforced: true,
            measures: [
                .init(name: "memory", used: 950 << 20, limit: 1 << 30),
                .init(name: "loop-delay", used: 3, limit: 250),
            ])
        loaded.load = load
        #expect(
            StatusRendering.text(of: loaded).contains(
                ": all up\nload: memory 950 MiB of 1.0 GiB, loop-delay 3 ms of 250 ms\nlast reload"))
        (load.stage, load.cause) = (2, "memory")
        loaded.load = load
        let text = StatusRendering.text(of: loaded)
        #expect(text.contains(": 1 problem\nload, stage 2: memory"))
        #expect(text.contains("stage 2 by memory 950 MiB of 1.0 GiB — new requests are refused"))
        load.isEnforced = false
        loaded.load = load
        #expect(loaded.problems.first?.words.hasSuffix("refused (not enforced)") == true)
        // Agents of before do not tell.
        let old = try JSONEncoder().encode(snapshot)
        #expect(!String(decoding: old, as: UTF8.self).contains("\"load\""))
        #expect(try JSONDecoder().decode(AgentSnapshot.self, from: old).load == nil)
        #expect(try JSONDecoder().decode(AgentSnapshot.self, from: JSONEncoder().encode(loaded)) == loaded)
    }

    @Test func oneTunnelIsShownOfEitherEnd() {
        let narrowed = snapshot.narrowed(toTunnel: "web")
        #expect(narrowed.tunnels.count == 1)
        #expect(narrowed.servers.first?.connected?.map(\.tokenTag) == ["3fa2c1"])
        let none = snapshot.narrowed(toTunnel: "other")
        #expect(none.tunnels.isEmpty && none.servers.isEmpty)
    }

    /// However many tokens are connected, a status has an end.
    @Test func aServerListsSoManyTokensAndCountsTheRest() {
        let all = (0..<1500).reversed().map { number in
            ConnectedToken(
                name: "t\(1000 + number)", tokenHint: "t...", tokenTag: "0", address: "::1", software: "",
                protocolVersion: 2, clients: 1, sessions: 1, requests: 0, pending: 0, since: 0)
        }
        let (listed, more) = ConnectedToken.listed(all)
        #expect(listed.count == 1000 && more == 500)
        #expect(listed.first?.name == "t1000" && listed.last?.name == "t1999")
        #expect(ConnectedToken.listed(Array(all.prefix(3))).more == 0)
    }

    @Test(arguments: [40, 80, 100, 132]) func nothingIsWiderThanTheTerminal(width: Int) {
        var wide = broken
        wide.servers[0].connected?[0].software = String(repeating: "long ", count: 100)
        wide.tunnels[0].server = "wss://" + String(repeating: "a", count: 200)
        wide.lastReload?.errors = [String(repeating: "word ", count: 50), String(repeating: "x", count: 300)]
        wide.servers[0].lastFault = FaultSnapshot(
            code: .closed, message: String(repeating: "why ", count: 90), at: 0)
        let text = StatusRendering.text(of: wide, style: TextStyle(width: width, hasColour: false))
        let lines = text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= width }, "\(text)")
        for needed in ["public", "listening", "web", "connected", "CONNECTED TO"] {
            #expect(text.contains(needed) || width == 40, "\(needed)")
        }
        // The words of a problem are whole, over several lines.
        let words = lines.joined(separator: " ").split(separator: " ").map(String.init)
        #expect(words.contains("refused") && words.count { $0 == "word" } == 50)
    }

    @Test func coloursAreForTerminalsAlone() {
        let plain = StatusRendering.text(of: broken)
        #expect(!plain.contains("\u{1b}"))
        let coloured = StatusRendering.text(of: broken, style: TextStyle(width: nil, hasColour: true))
        #expect(
            coloured.contains("\u{1b}[32mlistening\u{1b}[0m")
                && coloured.contains("\u{1b}[31mgave-up\u{1b}[0m"))
        let stripped = ["31", "32", "33", "0"].reduce(coloured) { $0.replacing("\u{1b}[\($1)m", with: "") }
        #expect(stripped == plain)
    }

    /// An agent of an older program, as when a newer one takes over from it, knows less.
    @Test func aStatusWithoutTheNewerFieldsIsUnderstood() throws {
        let server = """
            {"name":"a","state":"listening","address":"h:1","tunnels":0,"sessions":0,"callers":0,"waiting":0,
            "traffic":{"requests":0,"requestBytes":0,"responseBytes":0},
            "lastFault":{"code":"c","message":"m","at":1}}
            """
        let snapshot = try JSONDecoder().decode(ServerSnapshot.self, from: Data(server.utf8))
        #expect(snapshot.connected == nil && snapshot.faults == nil)
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

/// What others wrote, where people read it.
@Suite struct DeceptiveCharacterTests {
    @Test(arguments: [
        "\u{0}", "\n", "\u{1b}", "\u{7f}", "\u{85}", "\u{9b}", "\u{ad}", "\u{61c}", "\u{200b}", "\u{200d}",
        "\u{200f}",
        "\u{2028}", "\u{2029}", "\u{202e}", "\u{2066}", "\u{2069}", "\u{feff}",
    ])
    func whatDeceivesIsShown(_ character: String) {
        #expect("a\(character)b".undeceiving == "a?b")
        guard character != "\n" else { return }
        let text = "[\"a\(character)b\"]".jsonUndeceiving
        #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f })
        #expect(text.hasPrefix(#"["a\u"#) && text.hasSuffix(#"b"]"#) && text.utf8.count == 12)
    }

    @Test(arguments: ["", "plain text", "b\u{fc}cher", "\u{65e5}\u{672c}", "\u{1f600}"])
    func otherTextStays(_ text: String) {
        #expect(text.undeceiving == text && text.jsonUndeceiving == text)
    }
}
