import Foundation
import TestSupport

/// What a reload of a thousand tunnels takes: read, plan, prepare, commit.
enum Reload: Scenario {
    static let name = "reload"
    static let summary = "a whole reload of an agent with 1,000 tunnels"
    static let sides = ["ours"]
    private static let count = 1000

    static func run(_ bench: Bench) throws {
        let port = try freePort()
        try write(port, bench, middle: 1, others: 1)
        let agent = try bench.agent(at: bench.folder.path(of: "reload.yaml"))
        let server = TunnelServer(running: agent, port: port)
        try waitForListener(on: port)
        try server.waitForTunnels(count)
        for _ in 0..<bench.settings.runs {
            for (what, middle, others) in [
                ("one tunnel changed", 2, 1), ("nothing changed", 2, 1), ("all others changed", 2, 2),
                ("all changed back", 1, 1),
            ] {
                try write(port, bench, middle: middle, others: others)
                bench.record(try reload(bench), what, "ms", side: "ours")
                try server.waitForTunnels(count)
            }
        }
        bench.record(try agent.bytes("VmRSS") / 1e6, "memory afterwards", "MB", side: "ours")
    }

    /// - Parameters:
    ///   - middle: how many connections the tunnel in the middle has.
    ///   - others: how many all others have.
    private static func write(_ port: Int, _ bench: Bench, middle: Int, others: Int) throws {
        var text = """
            log: { file: reload.log }
            control-socket: reload.sock
            servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
            tunnels:

            """
        for number in 0..<count {
            text += """
                  - { name: t\(number), tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo",
                      token: benchmark-token-of-reload-\(number), connections: \(number == count / 2 ? middle : others) }

                """
        }
        try bench.folder.write(text, to: "reload.yaml")
    }

    /// - Returns: what the agent says it took, in milliseconds.
    private static func reload(_ bench: Bench) throws -> Double {
        let command = try ChildProcess([
            bench.settings.binary, "reload", "--config", bench.folder.path(of: "reload.yaml"), "--format",
            "json",
        ])
        try command.waitForExit()
        let answer = command.standardOutput.text
        let time = answer.firstMatch(of: /"durationMilliseconds"\s*:\s*([0-9.]+)/).flatMap { Double($0.1) }
        guard let time else { throw TestFailure("no reload: \(answer)\(command.standardError.text)") }
        return time
    }
}
