import Foundation
import TestSupport
import Testing

/// Against a script that says what the agent says.
@Suite(.timeLimit(.minutes(1))) struct AgentProcessTests {
    private static func start(_ script: String) throws -> AgentProcess {
        let folder = try TemporaryFolder()
        let program = try folder.write("#!/bin/sh\n" + script, to: "agent", mode: 0o700)
        return try AgentProcess(
            configuration: "version: 1\n", files: ["secret": "x"], environment: ["WSTUNNEL_BINARY": program])
    }

    @Test func portsAndSessionsAreLearntFromTheLog() throws {
        let agent = try Self.start(
            """
            test "$1" = --config && test -f "$2" || exit 1
            echo 'time=x level=info logger=a message="Listening" server.name=other listener.address=127.0.0.1:7' >&2
            echo 'time=x level=info logger=a message="Listening" server.name=public listener.address=[::1]:4711' >&2
            echo 'time=x level=info logger=a message="Agent running"' >&2
            echo 'this is not logfmt' >&2
            echo 'time=x level=info logger=a message="Session joined" tunnel.name=web session.id=1' >&2
            exec sleep 60
            """)
        #expect(try agent.port(ofServer: "public") == 4711)
        try agent.waitForSession(ofTunnel: "web")
        #expect(throws: TestFailure.self) {
            try agent.waitForSession(ofTunnel: "web", from: agent.log.count, within: .milliseconds(50))
        }
        #expect(try agent.folder.text(of: "secret") == "x")
        #expect(try agent.stop() == .signal(SIGTERM))
    }

    @Test func anAgentThatDoesNotStartIsAFailureWithItsLog() throws {
        let failure = #expect(throws: TestFailure.self) { try Self.start("echo 'port is taken' >&2; exit 1") }
        #expect(failure?.description.contains("port is taken") == true)
    }
}
