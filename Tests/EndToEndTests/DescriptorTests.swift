import Foundation
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

        init(origin: String = "builtin:echo") throws {
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
                    server: \(origin)
                    connections: 1

                """, to: "tunnels.yaml")
            process = try DescriptorTests.start(configuration)
            try process.standardError.waitForLine(
                containing: #"message="Session joined""#, within: .seconds(20))
        }

        var complaints: Int {
            process.standardError.lines.count { $0.contains(#"message="Out of file descriptors""#) }
        }
    }

    private static func start(_ configuration: String) throws -> ChildProcess {
        let variables = try programEnvironment()
        // Those that this process opened and did not mark in time are none of the agent's.
        let script = """
            for file in /proc/self/fd/*; do
                number=${file##*/}
                if ((number > 2)); then eval "exec $number>&-"; fi
            done
            ulimit -n 64
            exec "$0" "$@"
            """
        return try ChildProcess(
            ["/bin/bash", "-c", script, try wstunnelPath(variables), "--config", configuration],
            environment: variables)
    }

    /// Without any, libraries underneath end the process.
    @Test func tunnelsThatDialLeaveTheLastDescriptorsToTheRestOfTheAgent() throws {
        let silent = try ScriptedOrigin { connection in
            while true { _ = try connection.socket.readSome() }
        }
        let folder = try TemporaryFolder()
        let tunnels = (0..<200).map { number in
            Configuration.entry(
                name: "t\(number)", tunnel: "ws://127.0.0.1:\(silent.port)", to: "builtin:echo",
                token: "descriptor-test-token-\(number)", options: ["connections: 1"])
        }
        let path = try folder.write(
            "log: { format: logfmt }\ncontrol-socket: \(folder.path(of: "control"))\ntunnels:\n"
                + tunnels.joined(), to: "tunnels.yaml")
        let agent = try Self.start(path)
        try agent.standardError.waitForLine(containing: "too many open files", within: .seconds(20))
        // As long as the server says nothing, each that got one keeps it: ten seconds. Two loops may look at once.
        let open = try agent.openFileCount()
        #expect(open <= 62, "\(open)")
        let status = try wstunnel(["status", "--config", path])
        #expect(try status.waitForExit() == .code(69), "\(status.standardError.text)")
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
    }

    /// Far more requests than there are descriptors for connections to the origin: they share those.
    @Test func requestsWaitForAConnectionToTheirOrigin() throws {
        let origin = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil { try connection.respond(text: "answered") }
        }
        let agent = try SmallAgent(origin: origin.url)
        let port = agent.port
        let answers = try inThreads(60) { _ in
            let caller = try HTTPConnection(port: port)
            defer { caller.close() }
            return try caller.exchange("GET", "/", fields: Self.token)
        }
        let wrong = answers.filter { $0.text != "answered" }.map { "\($0.status) \($0.text)" }
        #expect(wrong.isEmpty)
        withExtendedLifetime(agent) {}
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
