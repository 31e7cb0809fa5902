import Foundation
import Glibc
import TestSupport
import Testing

/// The bytes that a token may have in a month: `bytes-per-month`.
@Suite(.timeLimit(.minutes(2))) struct QuotaTests {
    private static let token = "token-of-the-quota-tests"
    private static let password = "password-of-the-quota-tests"

    /// A server with a tunnel of its own.
    private static func text(
        _ port: Int, _ origin: String, quota: String, usageFile: String = "usage.json", more: String = ""
    ) -> String {
        """
        usage-file: \(usageFile)
        shutdown-grace: 2s
        servers:
          - name: public
            host: 127.0.0.1
            port: \(port)
            reuse-port: true
            limits: { \(more)per-token: { bytes-per-month: \(quota) } }
        tunnels:
          - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)", token: \(token) }

        """
    }

    private static func get(_ port: Int, _ target: String = "/") throws -> HTTPResponse {
        let connection = try HTTPConnection(port: port)
        defer { connection.close() }
        return try connection.exchange("GET", target, fields: [("X-Token", token)])
    }

    /// Answers with a MiB.
    private static func origin() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while try connection.readRequest() != nil {
                try connection.respond(body: [UInt8](repeating: 7, count: 1 << 20))
            }
        }
    }

    private static func start(_ folder: TemporaryFolder, _ more: [String] = []) throws -> ChildProcess {
        let process = try wstunnel(["--config", folder.path(of: "tunnels.yaml")] + more)
        try process.standardError.waitForLine(containing: "Session joined")
        return process
    }

    @Test func aTokenThatHasHadItsBytesGetsNoMoreThisMonthNorAfterARestart() throws {
        let (origin, port, folder) = (try Self.origin(), try freePort(), try TemporaryFolder())
        try folder.write(Self.text(port, origin.url, quota: "3MiB"), to: "tunnels.yaml")
        var agent = try Self.start(folder)
        // The one under way when they are used up has all of its answer.
        for _ in 0..<3 { #expect(try Self.get(port).body.count == 1 << 20) }
        let refused = try Self.get(port)
        #expect(refused.status == 429 && refused.head["X-Limit"] == "per-token.bytes-per-month")
        #expect(
            refused.text
                == "The bytes of this month are used up for this tunnel (limit: per-token.bytes-per-month)\n")
        let wait = try #require(Int(refused.head["Retry-After"] ?? ""))
        #expect(wait > 0 && wait <= 31 * 86_400)
        try agent.standardError.waitForLine(containing: "per-token.bytes-per-month")
        let status = try wstunnel(["status", "--config", folder.path(of: "tunnels.yaml")])
        #expect(try status.waitForExit() == .code(0))
        #expect(status.standardOutput.text.contains("3.0 MiB of 3.0 MiB"))

        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
        let usage = try folder.text(of: "usage.json")
        #expect(usage.contains("\(3 << 20)") && !usage.contains(Self.token))
        agent = try Self.start(folder)
        #expect(try Self.get(port).status == 429)
        // More is allowed in place; the file is told of what comes.
        try folder.write(Self.text(port, origin.url, quota: "4MiB"), to: "tunnels.yaml")
        agent.send(signal: SIGHUP)
        try agent.standardError.waitForLine(containing: "Configuration applied")
        #expect(try Self.get(port).status == 200)
        #expect(try Self.get(port).status == 429)
        agent.send(signal: SIGKILL)
        _ = try agent.waitForExit()
    }

    @Test func twoAgentsCountInOneFile() throws {
        let (origin, port, folder) = (try Self.origin(), try freePort(), try TemporaryFolder())
        try folder.write(Self.text(port, origin.url, quota: "10MiB"), to: "tunnels.yaml")
        let first = try Self.start(folder)
        for _ in 0..<4 { #expect(try Self.get(port).status == 200) }
        let next = try Self.start(folder, ["--takeover"])
        #expect(try first.waitForExit() == .code(0))
        for _ in 0..<2 { #expect(try Self.get(port).status == 200) }
        next.send(signal: SIGTERM)
        #expect(try next.waitForExit() == .code(0))
        #expect(try folder.text(of: "usage.json").contains(": \(6 << 20)"))
    }

    @Test func lastMonthsBytesDoNotCount() throws {
        let (origin, port, folder) = (try Self.origin(), try freePort(), try TemporaryFolder())
        try folder.write(Self.text(port, origin.url, quota: "1MiB"), to: "tunnels.yaml")
        var agent = try Self.start(folder)
        #expect(try Self.get(port).status == 200)
        #expect(try Self.get(port).status == 429)
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
        let usage = try folder.text(of: "usage.json")
        let month = try #require(usage.firstMatch(of: /"\d{4}-\d{2}"/))
        try folder.write(usage.replacing(month.0, with: "\"2001-01\""), to: "usage.json")
        agent = try Self.start(folder)
        #expect(try Self.get(port).status == 200)
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
        #expect(try folder.text(of: "usage.json").contains(month.0))
    }

    /// It never ends by itself, so it would go on for as long as it liked.
    @Test func aWebSocketEndsWhereTheBytesAreUsedUp() throws {
        let (port, folder) = (try freePort(), try TemporaryFolder())
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.acceptWebSocket(request)
                try connection.echoWebSocket()
            }
        }
        try folder.write(Self.text(port, origin.url, quota: "1MiB"), to: "tunnels.yaml")
        let agent = try Self.start(folder)
        let socket = try WebSocketConnection(port: port, fields: [("X-Token", Self.token)])
        let message = [UInt8](repeating: 7, count: 16 << 10)
        var count = 0
        #expect(throws: (any Error).self) {
            while count < 1000 {
                try socket.send(.binary(message))
                _ = try socket.receive()
                count += 1
            }
        }
        #expect(count > 16 && count < 80, "a MiB, both ways together")
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
    }

    /// Bytes that are too many, and a Close behind them, in one piece.
    @Test func whoOverdrawsAndLeavesAtOnceLeavesNoConnectionBehind() throws {
        let (port, folder) = (try freePort(), try TemporaryFolder())
        let service = try ScriptedOrigin { connection in _ = try? connection.socket.readToEnd() }
        try folder.write(
            Self.text(port, "tcp://127.0.0.1:\(service.port)", quota: "1MiB"), to: "tunnels.yaml")
        let agent = try Self.start(folder)
        let caller = try WebSocketConnection(
            port: port, target: "/_connect",
            fields: [("X-Token", Self.token), ("Sec-WebSocket-Protocol", "wstunnel.tcp")])
        for count in Array(repeating: 64 << 10, count: 15) + [(64 << 10) - 10] {
            try caller.send(.binary([UInt8](repeating: 7, count: count)))
        }
        let mask: [UInt8] = [0, 0, 0, 0]
        let message = [0x82, 0x80 | 20] + mask + [UInt8](repeating: 7, count: 20)
        try caller.socket.write(message + [0x88, 0x80] + mask)
        #expect(caller.socket.waitForEnd() != .timedOut)
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
    }

    /// Neither has a connection to a port, whichever of its directions has ended.
    @Test func aConnectionToAPortEndsWhereTheBytesAreUsedUp() throws {
        let (port, raw, folder) = (try freePort(), try freePort(), try TemporaryFolder())
        let service = try ScriptedOrigin { connection in
            connection.socket.finishWriting()
            _ = try? connection.socket.readToEnd()
        }
        let text = Self.text(port, "tcp://127.0.0.1:\(service.port)", quota: "1MiB")
            .replacingOccurrences(
                of: "    limits:", with: "    ports: [{ port: \(raw), token: \(Self.token) }]\n    limits:")
        try folder.write(text, to: "tunnels.yaml")
        let agent = try Self.start(folder)
        let caller = try StreamSocket(port: raw)
        #expect(try caller.readToEnd().isEmpty, "the service has said all it has to say")
        #expect(throws: (any Error).self) {
            for _ in 0..<500_000 { try caller.write([UInt8](repeating: 7, count: 16 << 10)) }
        }
        // The next one is not even taken.
        #expect(try StreamSocket(port: raw).waitForEnd() != .timedOut)
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
    }

    @Test func whatIsNotEnforcedIsCountedAndTold() throws {
        let (origin, port, folder) = (try Self.origin(), try freePort(), try TemporaryFolder())
        try folder.write(
            Self.text(port, origin.url, quota: "1MiB", more: "enforce: false, "), to: "tunnels.yaml")
        let agent = try Self.start(folder)
        for _ in 0..<3 { #expect(try Self.get(port).status == 200) }
        try agent.standardError.waitForLine(containing: "Limit reached, not enforced")
        agent.send(signal: SIGTERM)
        #expect(try agent.waitForExit() == .code(0))
        #expect(try folder.text(of: "usage.json").contains(": \(3 << 20)"))
    }

    @Test(arguments: [
        ("folder", "folder: Is a directory"),
        ("foreign.txt", "holds something else than counts of bytes — name another file, or remove it"),
    ]) func aFileThatCannotBeKeptIsRefusedAtTheStart(_ file: String, _ words: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("somebody's letter\n", to: "foreign.txt")
        try FileManager.default.createDirectory(
            atPath: folder.path(of: "folder"), withIntermediateDirectories: false)
        try folder.write(
            Self.text(try freePort(), "builtin:echo", quota: "1MiB", usageFile: file), to: "tunnels.yaml")
        let agent = try wstunnel(["--config", folder.path(of: "tunnels.yaml")])
        #expect(try agent.waitForExit() != .code(0))
        #expect(agent.standardError.text.contains(words), "\(agent.standardError.text)")
        #expect(try folder.text(of: "foreign.txt") == "somebody's letter\n")
    }
}
