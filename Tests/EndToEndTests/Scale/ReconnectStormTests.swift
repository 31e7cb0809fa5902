import Foundation
import Synchronization
import TestSupport
import Testing

/// Hundreds of tunnels lose their server at one moment, and callers go on asking.
@Suite struct ReconnectStormTests {
    private static let tunnels = 500

    private static func token(_ number: Int) -> String { "storm-token-\(1_000_000 + number)" }

    /// A server that has its socket from a service manager: callers wait in the kernel's queue while there is none, and
    /// the next one knows that tunnels are about to come.
    private static func startServer(_ folder: TemporaryFolder, _ socket: HeldSocket) throws -> ChildProcess {
        let path = try folder.write(Configuration.server(), to: "tunnels.yaml")
        let server = try ChildProcess(
            ["sh", "-c", "LISTEN_PID=$$ exec \"$0\" --config \"$1\"", wstunnelPath(), path],
            environment: programEnvironment(["LISTEN_FDS": "1", "LISTEN_FDNAMES": "public"]),
            passing: [socket.descriptor])
        try server.standardError.waitForLine(containing: "Agent running")
        return server
    }

    private static func waitForTunnels(_ server: ChildProcess) throws {
        try server.standardError.waitForLines(tunnels, containing: "Session joined")
    }

    @Test(.timeLimit(.minutes(1))) func callersThatWaitForTheNextServerAreAllServed() throws {
        let origin = try ScriptedOrigin.echo()
        let folder = try TemporaryFolder()
        let socket = try HeldSocket()
        let url = "ws://127.0.0.1:\(socket.port)"
        let entries = (0..<Self.tunnels).map { number in
            Configuration.entry(
                name: "t\(number)", tunnel: url, to: origin.url, token: Self.token(number),
                options: ["connections: 1"])
        }
        let first = try Self.startServer(folder, socket)
        let client = try AgentProcess(configuration: "version: 1\ntunnels:\n" + entries.joined())
        try Self.waitForTunnels(first)

        first.send(signal: SIGKILL)
        _ = try first.waitForExit()
        // From now on nobody may see an error: there is no server, then one that has no tunnels yet, then the storm.
        let isOn = Mutex(true)
        let callers = (0..<8).map { caller in
            Background {
                var faults: [String] = []
                var count = 0
                while isOn.withLock({ $0 }) {
                    let connection = try HTTPConnection(port: socket.port, limit: .seconds(40))
                    let number = (caller * 61 + count * 17) % Self.tunnels
                    let answer = try connection.exchange(
                        "GET", "/\(number)", fields: [("X-Token", Self.token(number))])
                    if answer.status != 200 { faults.append("\(answer.status) \(answer.text.prefix(80))") }
                    count += 1
                    connection.close()
                }
                return (faults: faults, count: count)
            }
        }
        let second = try Self.startServer(folder, socket)
        try Self.waitForTunnels(second)
        isOn.withLock { $0 = false }
        let results = try callers.map { try $0.value() }
        #expect(results.flatMap(\.faults).isEmpty)
        #expect(results.allSatisfy { $0.count > 0 })
        #expect(client.process.exit == nil)
    }
}
