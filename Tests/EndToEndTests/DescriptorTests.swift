import TestSupport
import Testing

/// An agent that runs out of file descriptors. A few are kept from callers, for all else that it does.
@Suite(.timeLimit(.minutes(1))) struct DescriptorTests {
    private static let token = [("X-Token", TunnelPair.token)]

    /// Runs with 64 descriptors, a tunnel to itself included.
    private final class SmallAgent {
        let folder: TemporaryFolder
        let process: ChildProcess
        let port: Int
        let configuration: String

        init() throws {
            folder = try TemporaryFolder()
            port = try freePort()
            configuration = try folder.write(
                """
                version: 1
                control-socket: \(folder.path(of: "control"))
                log: { format: logfmt }
                servers:
                  - { name: public, host: 127.0.0.1, port: \(port) }
                tunnels:
                  - name: web
                    tunnel: ws://127.0.0.1:\(port)
                    token: \(TunnelPair.token)
                    server: builtin:echo
                    connections: 1

                """, to: "tunnels.yaml")
            let variables = try programEnvironment()
            process = try ChildProcess(
                [
                    "/bin/sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\"", try wstunnelPath(variables),
                    "--config", configuration,
                ], environment: variables)
            try process.standardError.waitForLine(
                containing: #"message="Session joined""#, within: .seconds(20))
        }

        var complaints: Int {
            process.standardError.lines.count { $0.contains(#"message="Out of file descriptors""#) }
        }
    }

    @Test func callersWaitItSaysSoOnceAndRecovers() throws {
        let agent = try SmallAgent()
        let log = agent.process.standardError
        let idle = try (0..<100).map { _ in try HTTPConnection(port: agent.port) }
        try log.waitForLine(containing: #"message="Out of file descriptors""#, within: .seconds(20))
        // Whoever is told of the same connection again and again takes a core, or what is left of one.
        let share = try agent.process.processorShare(over: 2)
        #expect(share < 0.2, "\(share) of a core")
        // The control socket has descriptors of its own.
        let status = try wstunnel(["status", "--config", agent.configuration])
        #expect(try status.waitForExit() == .code(69))
        let words = status.standardOutput.lines.joined(separator: "\n")
        #expect(words.contains("1 problem"), "\(words)\n\(status.standardError.text)")
        for connection in idle { connection.close() }
        try log.waitForLine(containing: #"message="File descriptors are free again""#, within: .seconds(20))
        // Those who waited in the kernel's queue and left come and go first.
        while try wstunnel(["status", "--config", agent.configuration]).waitForExit() != .code(0) {}
        let caller = try HTTPConnection(port: agent.port)
        #expect(try caller.exchange("POST", "/", fields: Self.token, body: [65]).status == 200)
        #expect(agent.complaints == 1)
    }
}
