import Foundation
import Synchronization
import TestSupport
import Testing

/// The agent under a service manager: what it tells it, and the sockets that it is given.
@Suite(.timeLimit(.minutes(1))) struct ServiceManagerTests {
    private static let server = "servers: [{ name: public, host: 127.0.0.1, port: 0 }]\n"

    @Test func theManagerIsToldOfStartReloadsAndEnd() throws {
        let folder = try TemporaryFolder()
        let manager = try ManagerSocket(folder.path(of: "notify"))
        let world = try ReloadedAgent(Self.server, environment: ["NOTIFY_SOCKET": folder.path(of: "notify")])
        #expect(try manager.receive() == "READY=1\nSTATUS=generation 1: 1 servers, 0 tunnels")
        for (text, outcome, status) in [
            (
                Self.server + "pidfile: agent.pid\n", ReloadedAgent.Outcome.applied,
                "generation 2: 1 servers, 0 tunnels"
            ),
            ("nonsense: 1\n", .refused, "generation 2: 1 servers, 0 tunnels; the last reload was refused"),
            (Self.server + "pidfile: agent.pid\n", .unchanged, "generation 2: 1 servers, 0 tunnels"),
        ] {
            let before = Self.monotonicMicroseconds()
            #expect(try world.apply(text) == outcome)
            let lines = try manager.receive().split(separator: "\n")
            #expect(lines.count == 3 && lines[0] == "RELOADING=1" && lines[2] == "STATUS=Reloading")
            let stamp = try #require(lines[1].split(separator: "=").last.flatMap { UInt64($0) })
            #expect(lines[1].hasPrefix("MONOTONIC_USEC="))
            #expect((before...Self.monotonicMicroseconds()).contains(stamp))
            #expect(try manager.receive() == "READY=1\nSTATUS=\(status)")
        }
        #expect(try world.agent.stop() == .code(0))
        #expect(try manager.receive() == "STOPPING=1\nSTATUS=finishing what is in flight")
        #expect(manager.isEmpty)
    }

    private static func monotonicMicroseconds() -> UInt64 {
        var reading = timespec()
        clock_gettime(CLOCK_MONOTONIC, &reading)
        return UInt64(reading.tv_sec) * 1_000_000 + UInt64(reading.tv_nsec) / 1000
    }

    @Test func signsOfLifeComeAndStopWhenItIsStuck() throws {
        let folder = try TemporaryFolder()
        let manager = try ManagerSocket(folder.path(of: "notify"))
        let agent = try AgentProcess(
            configuration: Self.server,
            environment: ["NOTIFY_SOCKET": folder.path(of: "notify"), "WATCHDOG_USEC": "300000"])
        var signs = 0
        while signs < 5 { if try manager.receive() == "WATCHDOG=1" { signs += 1 } }
        agent.process.send(signal: SIGSTOP)
        while !manager.isEmpty { _ = try manager.receive() }
        usleep(600_000)
        #expect(manager.isEmpty)
        agent.process.send(signal: SIGCONT)
        #expect(try manager.receive() == "WATCHDOG=1")
    }

    /// Starts an agent that has been given sockets, as sd_listen_fds(3) says.
    static func start(
        _ folder: TemporaryFolder, _ sockets: [(name: String, socket: HeldSocket)]
    ) throws -> ChildProcess {
        try ChildProcess(
            [
                "sh", "-c", "LISTEN_PID=$$ exec \"$0\" --config \"$1\"", wstunnelPath(),
                folder.path(of: "tunnels.yaml"),
            ],
            environment: programEnvironment([
                "LISTEN_FDS": "\(sockets.count)",
                "LISTEN_FDNAMES": sockets.map(\.name).joined(separator: ":"),
            ]), passing: sockets.map(\.socket.descriptor))
    }

    @Test func aSocketGoesToTheServerOfItsName() throws {
        let folder = try TemporaryFolder()
        let sockets = try (0..<2).map { _ in try HeldSocket() }
        let text = """
            servers:
              - { name: first, host: 127.0.0.1, port: 1 }
              - { name: second, host: 127.0.0.1, port: 1, base-path: /second }

            """
        // The ports of the file stand for nothing, but they must not be the same.
        try folder.write(
            text.replacingOccurrences(of: "port: 1,", with: "port: 2,"), to: "tunnels.yaml")
        let agent = try Self.start(folder, [("second", sockets[1]), ("first", sockets[0])])
        try agent.standardError.waitForLine(containing: "Agent running")
        func health(_ socket: HeldSocket, _ path: String) throws -> Int {
            try HTTPConnection(port: socket.port).exchange("GET", path).status
        }
        #expect(try health(sockets[0], "/_health_check") == 200)
        #expect(try health(sockets[1], "/second/_health_check") == 200)
        // A reload keeps the sockets, whatever it does to the servers.
        try folder.write(
            text.replacingOccurrences(of: "port: 1,", with: "port: 3,").replacingOccurrences(
                of: "/second", with: "/other"), to: "tunnels.yaml")
        agent.send(signal: SIGHUP)
        try agent.standardError.waitForLine(containing: "Configuration applied")
        #expect(try health(sockets[0], "/_health_check") == 200)
        #expect(try health(sockets[1], "/other/_health_check") == 200)
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
        // Nobody takes them now, and nobody is turned away.
        _ = try sockets.map { try StreamSocket(port: $0.port) }
    }

    @Test func aSocketThatNoServerHasIsWarnedAbout() throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.server, to: "tunnels.yaml")
        let agent = try Self.start(folder, [("publik", HeldSocket())])
        try agent.standardError.waitForLine(
            containing: "Configuration warning", "no server is named \\\"publik\\\"", "FileDescriptorName=")
        try agent.standardError.waitForLine(containing: "Agent running")
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
    }

    @Test func twoSocketsOfOneNameAreRefused() throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.server, to: "tunnels.yaml")
        let agent = try Self.start(folder, [("public", HeldSocket()), ("public", HeldSocket())])
        #expect(try agent.waitForExit() == .code(1))
        #expect(agent.standardError.text.contains("two sockets are named"))
    }

    /// Callers and the tunnel's client are other processes: they know nothing of the restart.
    @Test func aRestartLosesNoRequestWhileTheManagerHoldsTheSocket() throws {
        let socket = try HeldSocket()
        let folder = try TemporaryFolder()
        try folder.write(Self.server, to: "tunnels.yaml")
        let token = "service-manager-token-1"
        var agent = try Self.start(folder, [("public", socket)])
        try agent.standardError.waitForLine(containing: "Agent running")
        let client = try AgentProcess(
            configuration: """
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:\(socket.port)", server: "builtin:echo", token: \(token) }
                """)
        try agent.standardError.waitForLine(containing: "Session joined")
        let callers = Callers(port: socket.port, token: token)
        for _ in 0..<3 {
            let count = callers.answered.value
            try callers.answered.wait(for: count + 20, within: .seconds(20), what: "requests")
            agent.send(signal: SIGTERM)
            #expect(try agent.waitForExit() == .code(0))
            agent = try Self.start(folder, [("public", socket)])
            try agent.standardError.waitForLine(containing: "Agent running")
        }
        let count = callers.answered.value
        try callers.answered.wait(for: count + 20, within: .seconds(40), what: "requests")
        let faults = try callers.stop()
        #expect(faults.isEmpty, "\(faults)")
        #expect(client.process.exit == nil)
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
    }
}

/// Callers who send one request after another, each on a connection of its own, and note what goes wrong.
final class Callers: Sendable {
    let answered = WaitableCounter()
    private let isOn = Atomic<Bool>(true)
    private let faults = Mutex<[String]>([])
    private let threads = Mutex<[Background<Void>]>([])

    init(port: Int, token: String, count: Int = 4) {
        let started = (0..<count).map { number in
            Background<Void> {
                while self.isOn.load(ordering: .relaxed) {
                    do {
                        let connection = try HTTPConnection(port: port, limit: .seconds(35))
                        defer { connection.close() }
                        let answer = try connection.exchange(
                            "POST", "/echo", fields: [("X-Token", token)], body: Array("hello".utf8))
                        guard answer.status == 200 else {
                            throw TestFailure("\(answer.status) \(answer.text)")
                        }
                        self.answered.add(1)
                    } catch {
                        self.faults.withLock { $0.append("caller \(number): \(error)") }
                    }
                }
            }
        }
        threads.withLock { $0 = started }
    }

    /// Ends the load and gives what went wrong.
    func stop() throws -> [String] {
        isOn.store(false, ordering: .relaxed)
        for thread in threads.withLock(\.self) { try thread.value(within: .seconds(40)) }
        return faults.withLock(\.self)
    }
}
