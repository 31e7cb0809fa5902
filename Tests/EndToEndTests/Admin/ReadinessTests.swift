import Foundation
import TestSupport
import Testing

/// `/healthz` and `/readyz` of a running agent.
@Suite(.timeLimit(.minutes(1))) struct ReadinessTests {
    private static func admin(_ port: Int) -> String {
        "admin: { listen: \"127.0.0.1:\(port)\", token: readiness-token-012345 }\n"
    }

    private static func ready(_ port: Int) throws -> CurlResult {
        try curl("http://127.0.0.1:\(port)/readyz")
    }

    @Test func aTunnelHasToBeUp() throws {
        let (admin, port) = (try freePort(), try freePort())
        let tunnel = """
            tunnels:
              - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: \(TunnelPair.token) }

            """
        let world = try ReloadedAgent(Self.admin(admin) + tunnel)
        let down = try Self.ready(admin)
        #expect(down.status == 503 && down.text.contains("no tunnel is up"))
        #expect(!down.text.contains("web"))
        #expect(try curl("http://127.0.0.1:\(admin)/healthz").status == 200)
        let server = "servers: [{ name: public, host: 127.0.0.1, port: \(port) }]\n"
        #expect(try world.apply(Self.admin(admin) + tunnel + server) == .applied)
        try world.agent.waitForSessions(1)
        #expect(try Self.ready(admin).status == 200)
        // Without tunnels none has to be up.
        #expect(try world.apply(Self.admin(admin) + server) == .applied)
        #expect(try Self.ready(admin).status == 200)
    }

    @Test func everyTunnelThatIsRequiredHasToBeUp() throws {
        let (admin, port) = (try freePort(), try freePort())
        func configuration(_ main: String, _ side: String) -> String {
            Self.admin(admin) + """
                servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
                tunnels:
                  - { name: main, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: \(TunnelPair.token), connections: 1\(main) }
                  - { name: side, tunnel: "ws://127.0.0.1:1", server: "builtin:echo", token: token-of-the-side-12\(side) }

                """
        }
        let world = try ReloadedAgent(configuration("", ", required: true"))
        try world.agent.waitForSessions(1)
        let down = try Self.ready(admin)
        #expect(down.status == 503 && down.text.contains("1 of 1 required tunnels down"))
        #expect(!down.text.contains("side"))
        // What changes is whether they count: nothing is connected anew.
        for (main, side) in [(", required: true", ""), ("", ""), (", required: false", ", required: false")] {
            #expect(try world.apply(configuration(main, side)) == .applied)
            #expect(try Self.ready(admin).status == 200, "\(main) \(side)")
        }
        #expect(try world.apply(configuration(", required: true", ", required: true")) == .applied)
        #expect(try Self.ready(admin).text.contains("1 of 2 required tunnels down"))
        #expect(world.agent.log.count { $0.contains("Session joined") } == 1)
    }

    @Test func whoStopsIsNotReadyAndFinishesWhatIsInFlight() throws {
        let origin = try HoldingOrigin("origin")
        let (admin, port) = (try freePort(), try freePort())
        let agent = try AgentProcess(
            configuration: Self.admin(admin) + """
                servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin.url)", token: \(TunnelPair.token) }

                """)
        try agent.waitForSessions(1)
        #expect(try Self.ready(admin).status == 200)
        let held = try origin.hold(port: port, token: TunnelPair.token)
        agent.process.send(signal: SIGTERM)
        try agent.waitForLog("Stopping: requests in flight are finished; a second signal ends them")
        let answer = try Self.ready(admin)
        #expect(answer.status == 503 && answer.text.contains("stopping"))
        #expect(try curl("http://127.0.0.1:\(admin)/healthz").status == 200)
        #expect(try held.finish() == "origin")
        #expect(try agent.process.waitForExit() == .code(0))
    }
}
