import Foundation
import TestSupport
import Testing

/// `wstunnel connect`: standard input and output, and the service behind a tunnel.
@Suite(.timeLimit(.minutes(2))) struct ConnectTests {
    /// Runs a shell's line in which `$CONNECT` stands for the command with its flags; the token is in its environment.
    private static func run(
        _ line: String, to port: Int, token: String? = RawTunnel.token, flags: String = ""
    ) throws -> ChildProcess {
        var environment = ["CONNECT": "\(try wstunnelPath()) connect -tunnel ws://127.0.0.1:\(port) \(flags)"]
        if let token { environment["WSTUNNEL_TOKEN"] = token }
        return try ChildProcess(
            ["/bin/bash", "-c", "set -o pipefail; \(line)"], environment: try programEnvironment(environment))
    }

    @Test func filesOfTwentyMebibytesGoBothWays() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let folder = try TemporaryFolder()
        let file = try folder.writeRandom(mebibytes: 20, to: "sent")
        let result = folder.path(of: "got")
        let program = try Self.run("$CONNECT < \(file) > \(result)", to: tunnel.port)
        #expect(try program.waitForExit() == .code(0))
        #expect(program.standardError.text.isEmpty)
        let expected = try ChildProcess(["/bin/bash", "-c", "(cat \(file); printf bye) | cmp - \(result)"])
        #expect(try expected.waitForExit() == .code(0))
        let line = try tunnel.server.waitForLog("Request", ["path": "/_connect"])
        #expect(line["outcome"] == "ok")
        #expect(line["request.bytes"] == "\(20 << 20)")
        #expect(line["response.bytes"] == "\(20 << 20 + 3)")
        _ = client
    }

    @Test func eachDirectionEndsByItself() throws {
        let service = try ScriptedOrigin { connection in
            try connection.socket.write("first\n")
            connection.socket.finishWriting()
            #expect(try connection.socket.readToEnd() == Array("behind the end\n".utf8))
        }
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        // It speaks when the service has ended: `cat` ends with what comes.
        let program = try Self.run(
            """
            coproc P { exec $CONNECT; }
            exec 4<&${P[0]} 5>&${P[1]}; eval "exec ${P[1]}>&-"; id=$P_PID
            cat <&4; echo behind the end >&5; exec 5>&-; wait $id
            """, to: tunnel.port)
        #expect(try program.waitForExit() == .code(0))
        #expect(program.standardOutput.text == "first\n")
        try service.waitForEnds(1)
        #expect(service.failures.isEmpty)
        _ = client
    }

    @Test func whatIsRefusedSaysWhyAndEndsWith69() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port)
        let unknown = try Self.run("$CONNECT", to: tunnel.port, token: "a-token-of-nobody-01")
        #expect(try unknown.waitForExit() == .code(69))
        #expect(unknown.standardError.text.contains("404"))
        #expect(!unknown.standardError.text.contains("a-token-of-nobody-01"))
        let web = try tunnel.startClient(to: "builtin:echo")
        let refused = try Self.run("$CONNECT", to: tunnel.port)
        #expect(try refused.waitForExit() == .code(69))
        #expect(refused.standardError.text.contains("No TCP service stands behind this tunnel"))
        try web.stop()
        let nobody = try Self.run("$CONNECT", to: try freePort())
        #expect(try nobody.waitForExit() == .code(69))
        let wrong = try Self.run("$CONNECT", to: tunnel.port, token: nil)
        #expect(try wrong.waitForExit() == .code(2))
        #expect(wrong.standardError.text.contains("-token is missing"))
    }

    @Test func aConnectionThatBreaksOffEndsWith1BehindWhatCame() throws {
        let service = try ScriptedOrigin { connection in
            // Once it is granted: before, it would be refused.
            _ = try connection.socket.read(2)
            try connection.socket.write("what came\n")
            try connection.socket.waitUntilDelivered()
            connection.socket.reset()
        }
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let program = try Self.run("printf go | $CONNECT", to: tunnel.port)
        #expect(try program.waitForExit() == .code(1))
        #expect(program.standardError.text.contains("broke it off"))
        #expect(program.standardOutput.text == "what came\n" || program.standardOutput.text.isEmpty)
        _ = client
    }

    @Test func aWriterThatIsNotReadIsHeldBack() throws {
        let service = try ScriptedOrigin { connection in
            // Not a byte is read until it is told.
            _ = connection.socket.waitForEnd(within: .seconds(2))
            throw StreamEnd.reset
        }
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let before = try tunnel.server.process.residentBytes()
        let program = try Self.run("head -c 200M /dev/zero | $CONNECT > /dev/null", to: tunnel.port)
        _ = try program.waitForExit()
        #expect(try tunnel.server.process.residentBytes() - before < 80 << 20)
        _ = client
    }

    @Test func aProxyThatPassesWebSocketsPassesIt() throws {
        let service = try ScriptedOrigin.rawEcho()
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let proxy = try Tinyproxy()
        let program = try Self.run(
            "printf hello | $CONNECT", to: tunnel.port, flags: "-proxy http://127.0.0.1:\(proxy.port)")
        #expect(try program.waitForExit() == .code(0))
        #expect(program.standardOutput.text == "hellobye")
        try proxy.waitForRequest(port: tunnel.port)
        _ = client
    }

    @Test func theTokenOfItsFlagIsWipedFromTheProcessListing() throws {
        let service = try ScriptedOrigin { connection in
            try connection.socket.write("up\n")
            _ = connection.socket.waitForEnd()
        }
        let tunnel = try RawTunnel(to: service.port)
        let client = try tunnel.startClient()
        let folder = try TemporaryFolder()
        // An input that says nothing and does not end.
        let pipe = folder.path(of: "input")
        let program = try Self.run(
            "mkfifo \(pipe); exec $CONNECT 0<>\(pipe)", to: tunnel.port, token: nil,
            flags: "--token \(RawTunnel.token)")
        try program.standardOutput.waitForLine(containing: "up")
        let line = try String(contentsOfFile: "/proc/\(program.processID)/cmdline", encoding: .utf8)
        #expect(line.contains("connect"))
        #expect(!line.contains(RawTunnel.token))
        program.kill()
        try tunnel.server.waitForLog("Request", ["path": "/_connect", "outcome": "caller-left"])
        _ = (client, folder)
    }
}
