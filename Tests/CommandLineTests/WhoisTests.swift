import TestSupport
import Testing

/// `wstunnel whois`, with whois servers of the test's own.
@Suite(.timeLimit(.minutes(1))) struct WhoisTests {
    private static func server(_ answer: @escaping @Sendable (String) -> String) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            try connection.socket.write(answer(try connection.socket.readLine()))
        }
    }

    @Test func referralsAreFollowedToTheOrganisation() throws {
        let registry = try Self.server { question in
            "% asked for \(question)\r\nnetname: NET\r\norg-name: \(question) \u{1b}[31mLimited\r\n"
        }
        let root = try Self.server { _ in "refer: 127.0.0.1:\(registry.port)\norganisation: Root\n" }
        let result = try runProgram("whois", "-server", "127.0.0.1:\(root.port)", "old-token", "127.0.0.1")
        #expect(result.exit == .code(0), "\(result.errors)")
        let lines = result.output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("DNS    127.0.0.1  ") == true)
        #expect(lines.last == "WHOIS  127.0.0.1  127.0.0.1 [31mLimited")
        #expect(root.connectionCount == 1)
        #expect(registry.connectionCount == 1)
    }

    @Test func referralsInACircleEnd() throws {
        let port = try freePort()
        let other = try Self.server { _ in "refer: 127.0.0.1:\(port)\n" }
        let server = try ScriptedOrigin(port: port) { connection in
            _ = try connection.socket.readLine()
            try connection.socket.write("refer: 127.0.0.1:\(other.port)\n")
        }
        let result = try runProgram("whois", "-server", "127.0.0.1:\(port)", "127.0.0.1")
        #expect(result.exit == .code(1))
        #expect(result.errors == "wstunnel whois: nothing is known of 127.0.0.1\n")
        #expect(server.connectionCount + other.connectionCount == 4)
    }

    @Test func aFloodIsCut() throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.socket.readLine()
            try connection.socket.write("owner: Flood\n")
            while true { try connection.socket.write([UInt8](repeating: 65, count: 65_536)) }
        }
        let result = try runProgram("whois", "-server", "127.0.0.1:\(server.port)", "127.0.0.1")
        #expect(result.exit == .code(0))
        #expect(result.output.hasSuffix("WHOIS  127.0.0.1  Flood\n"))
    }

    @Test func aSilentServerIsGivenUp() throws {
        let server = try ScriptedOrigin { connection in _ = connection.waitForEnd(within: .seconds(40)) }
        let start = ContinuousClock.now
        let result = try runProgram("whois", "-server", "127.0.0.1:\(server.port)", "127.0.0.1")
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("port \(server.port): no answer within 10 s"))
        #expect(ContinuousClock.now - start < .seconds(18))
    }

    @Test func aRefusedConnectionIsNamed() throws {
        let port = try freePort()
        let result = try runProgram("whois", "-server", "127.0.0.1:\(port)", "127.0.0.1")
        #expect(result.exit == .code(1))
        #expect(result.errors.hasPrefix("wstunnel whois: 127.0.0.1 port \(port): Connection refused\n"))
    }

    @Test(arguments: [[], ["example.com"], ["token", "999.0.0.1"], ["-nonsense", "127.0.0.1"]])
    func badArgumentsExit2WithTheUsage(_ arguments: [String]) throws {
        let program = try wstunnel(["whois"] + arguments)
        #expect(try program.waitForExit() == .code(2))
        #expect(program.standardError.text.contains("Usage: wstunnel whois"))
    }
}
