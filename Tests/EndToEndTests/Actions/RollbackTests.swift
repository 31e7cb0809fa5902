import Foundation
import TestSupport
import Testing

/// Going back to the configuration before, and applying the plan that was looked at.
@Suite(.timeLimit(.minutes(1))) struct RollbackTests {
    private static let token = TunnelPair.token

    private static func text(_ port: Int, _ origin: String, connections: Int) -> String {
        Configuration.client(
            tunnel: "ws://127.0.0.1:\(port)", to: origin, token: token,
            options: ["connections: \(connections)"])
    }

    @Test func itGoesBackAndForthUnderLoadWithoutLosingARequest() throws {
        let (one, two) = (try HoldingOrigin("one"), try HoldingOrigin("two"))
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let world = try ReloadedAgent(Self.text(port, one.url, connections: 1))
        try world.waitForTunnel()
        let none = try world.agent.command("rollback", "--yes")
        #expect(none.exit == .code(1) && none.errors.contains("there is nothing to go back to"))

        let load = SteadyLoad(port: port, token: Self.token, [.short, .kept, .upload, .download])
        #expect(try world.apply(Self.text(port, two.url, connections: 2)) == .applied)
        try world.waitForTunnel()
        #expect(try HTTPConnection.ask(port: port, token: Self.token) == "two")

        let looked = try world.agent.command("rollback")
        #expect(looked.exit == .code(0) && looked.output.contains("nothing is done without --yes"))
        #expect(looked.output.contains("tunnel  web  connections, server"), "\(looked.output)")
        #expect(try world.status().generation == 2)
        let back = try world.agent.command("rollback", "--yes")
        #expect(back.exit == .code(0) && back.output.contains("in force: generation 3"), "\(back)")
        try world.waitForTunnel()
        #expect(try HTTPConnection.ask(port: port, token: Self.token) == "one")
        #expect(try world.status().lastReload?.trigger == "rollback")
        #expect(
            try world.agent.command("status").output.contains(
                "rolled back: what runs is not what the file said"))
        let plan = try world.agent.command("plan")
        #expect(plan.errors.contains("what runs was rolled back to") && plan.output.contains("1 change\n"))

        // Once more rolls forward, and the file counts again with the next reload.
        #expect(try world.agent.command("rollback", "--yes").exit == .code(0))
        try world.waitForTunnel()
        #expect(try HTTPConnection.ask(port: port, token: Self.token) == "two")
        #expect(try world.agent.command("rollback", "--yes").exit == .code(0))
        #expect(try world.hangUp() == .applied)
        try world.waitForTunnel()
        #expect(try HTTPConnection.ask(port: port, token: Self.token) == "two")
        #expect(try !world.agent.command("status").output.contains("rolled back"))
        let faults = try load.stop().faults
        #expect(faults.isEmpty, "\(faults)")
    }

    @Test func aReloadAppliesThePlanThatWasLookedAtOrNothing() throws {
        let port = try freePort()
        let world = try ReloadedAgent(Self.text(port, "builtin:echo", connections: 1))
        let agent = world.agent
        try world.write(Self.text(port, "builtin:echo", connections: 2))
        let plan = try agent.command("plan").output
        let tag = String(try #require(plan.split(separator: "\n").last?.split(separator: " ").last))
        #expect(tag.hasPrefix("g1-"))
        #expect(try agent.command("plan").output == plan, "the same is the same")

        try world.write(Self.text(port, "builtin:echo", connections: 3))
        let other = try agent.command("reload", "--plan", tag)
        #expect(other.exit == .code(1) && other.errors.contains("look at the plan again"))
        #expect(try world.status().generation == 1)
        try agent.waitForLog("Reload not tried", ["reload.trigger": "api"])

        try world.write(Self.text(port, "builtin:echo", connections: 2))
        #expect(try agent.command("reload", "--plan", tag).exit == .code(0))
        #expect(try world.status().generation == 2)
        #expect(try agent.command("reload", "--plan", tag).exit == .code(1), "it is done")
        #expect(try agent.command("reload", "--plan", "\"; x").exit == .code(64))
        // A file with errors is refused as ever.
        try world.write("nonsense: 1\n")
        #expect(try agent.command("reload", "--plan", tag).exit == .code(78))
    }
}
