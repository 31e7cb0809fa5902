import Glibc
import TestSupport
import Testing

/// The lines of a server's log that operators of the Go program search for.
@Suite(.timeLimit(.minutes(1))) struct OldLogLinesTests {
    private static let token = "old-log-lines-token-1"

    /// Starts server and client in one process, makes a request, and gives its lines of the log.
    private static func lines(level: String) throws -> [String] {
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.respond(401, text: request.target)
        }
        let port = try freePort()
        let folder = try TemporaryFolder()
        let path = try folder.write(
            """
            log: { format: text, level: \(level) }
            servers: [{ name: public, host: 127.0.0.1, port: \(port) }]
            tunnels: [{ name: web, tunnel: 'ws://127.0.0.1:\(port)', server: '\(origin.url)', token: \(token), connections: 1 }]
            """, to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        try program.standardError.waitForLine(containing: "Session joined")
        let answer = try HTTPConnection(port: port).exchange(
            "GET", "/a b".replacing(" ", with: "?"),
            fields: [("X-Token", token), ("X-Forwarded-For", "192.0.2.1")])
        #expect(answer.status == 401)
        try program.standardError.waitForLine(containing: "HTTP RET")
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
        #expect(!program.standardError.text.contains(token))
        return program.standardError.lines.filter { $0.contains(" pkg=WStunsrv ") }
            .map { $0.split(separator: " ", maxSplits: 1).last.map(String.init) ?? "" }
    }

    @Test func aRequestIsToldAtEachStep() throws {
        let lines = try Self.lines(level: "debug")
        try #require(lines.count == 4, "\(lines)")
        let common = "pkg=WStunsrv token=old-log-... id="
        #expect(lines[0].hasPrefix("INFO  access: HTTP RCV \(common)"))
        #expect(lines[0].hasSuffix(#" verb=GET url=/a?b addr=127.0.0.1 x-host="" try="""#))
        #expect(lines[1].hasPrefix("DEBUG access: WS SND \(common)"))
        #expect(lines[1].hasSuffix(#" info="GET /a?b""#))
        #expect(lines[2].hasPrefix("DEBUG access: WS RCV \(common)"))
        #expect(lines[2].contains(/\ ws=\d+ len=/))
        #expect(lines[3].hasPrefix("INFO  access: HTTP RET \(common)"))
        #expect(lines[3].contains(" status=401 verb=GET url=/a?b "))
        let ids = Set(lines.map { $0.split(separator: " ").first { $0.hasPrefix("id=") } })
        #expect(ids.count == 1)
    }

    @Test func whatGoesOnInsideIsToldToThoseWhoAskForIt() throws {
        let lines = try Self.lines(level: "info")
        #expect(lines.count == 2, "\(lines)")
    }
}
