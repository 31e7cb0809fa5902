import TestSupport
import Testing

/// Ports of plain TCP that come, change and go while others are in use.
@Suite(.timeLimit(.minutes(2))) struct RawReloadTests {
    private static let token = RawTunnel.token

    /// An agent that is both ends.
    private static func configuration(_ ports: [String], to service: Int, server port: Int) -> String {
        """
        version: 1
        shutdown-grace: 1s
        servers:
          - name: public
            host: 127.0.0.1
            port: \(port)
            ports: \(ports.isEmpty ? "[]" : "")
        \(ports.map { "      - { \($0), token: \(token) }" }.joined(separator: "\n"))
        tunnels:
          - name: raw
            tunnel: ws://127.0.0.1:\(port)
            token: \(token)
            server: tcp://127.0.0.1:\(service)
            connections: 1

        """
    }

    @Test func portsComeAndGoAndOthersNeverNotice() throws {
        let service = try ScriptedOrigin.rawEcho()
        let (server, first, second) = (try freePort(), try freePort(), try freePort())
        func text(_ ports: [String]) -> String {
            Self.configuration(ports, to: service.port, server: server)
        }
        let agent = try ReloadedAgent(text(["port: \(first)"]))
        try agent.agent.waitForSession(ofTunnel: "raw")
        let caller = try StreamSocket(port: first)
        let bytes = SplitMix64(seed: 3).sequence(8 << 20)
        let sender = Background {
            try caller.write(bytes)
            caller.finishWriting()
        }
        #expect(try caller.read(1) == Array(bytes[..<1]))
        #expect(
            try agent.applied(text(["port: \(first)", "port: \(second)"])) == [
                "start server public:\(second)"
            ])
        let other = try StreamSocket(port: second)
        try other.write("x")
        #expect(try other.read(1) == Array("x".utf8))
        #expect(
            try agent.applied(text(["port: \(first), idle-timeout: 5m", "port: \(second)"]))
                == ["update server public:\(first): ports"])
        #expect(
            try agent.applied(text(["port: \(first), idle-timeout: 5m"])) == ["stop server public:\(second)"])
        // What went has the grace, and then shows that it was cut.
        #expect(other.waitForEnd() == .reset)
        let answer = try caller.readToEnd()
        try sender.value()
        #expect(answer.count == bytes.count - 1 + 3)
        #expect(answer.dropLast(3) == bytes.dropFirst())
    }

    @Test func aPortThatCannotBeBoundRefusesTheReloadAsAWhole() throws {
        let service = try ScriptedOrigin.rawEcho()
        let (server, first, third) = (try freePort(), try freePort(), try freePort())
        let agent = try ReloadedAgent(
            Self.configuration(["port: \(first)"], to: service.port, server: server))
        try agent.agent.waitForSession(ofTunnel: "raw")
        let taken = try HeldSocket()
        let wanted = ["port: \(first)", "port: \(third)", "port: \(taken.port)"]
        #expect(
            try agent.apply(Self.configuration(wanted, to: service.port, server: server)) == .refused)
        #expect(throws: TestFailure.self) { try StreamSocket(port: third) }
        let caller = try StreamSocket(port: first)
        caller.finishWriting()
        #expect(try caller.readToEnd() == Array("bye".utf8))
    }
}
