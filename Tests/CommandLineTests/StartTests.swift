import Foundation
import TestSupport
import Testing

/// What keeps the agent from starting, and what it leaves behind then: nothing.
@Suite(.timeLimit(.minutes(1))) struct StartTests {
    @Test func brokenYAMLPrintsEveryErrorAndExits78() throws {
        let result = try runProgram(
            withConfiguration: """
                version: 9
                servers:
                  - { name: public, port: eighty }
                tunnels:
                  - { name: web, tunnel: "http://x", server: "wss://y", token: "${NOT_SET_ANYWHERE}" }
                """)
        #expect(result.exit == .code(78))
        #expect(result.output.isEmpty)
        for place in [":1:10: version", "servers[public].port", "tunnels[web].tunnel", "tunnels[web].server"]
        {
            #expect(result.errors.contains(place))
        }
        #expect(result.errors.contains("${NOT_SET_ANYWHERE} is not set in the environment"))
        #expect(result.errors.hasSuffix("5 errors, 0 warnings\n"))
        #expect(!result.errors.contains("Agent running"))
    }

    @Test func aMissingSecretFileIsNamed() throws {
        let result = try runProgram(
            withConfiguration: """
                tunnels:
                  - { name: web, tunnel: "ws://127.0.0.1:1", server: "builtin:echo", token-file: secrets/token }
                """)
        #expect(result.exit == .code(78))
        #expect(result.errors.contains("tunnels[web].token-file: cannot read"))
        #expect(result.errors.contains("secrets/token"))
    }

    @Test func twoServersOnOnePortAreAConfigurationError() throws {
        let result = try runProgram(
            withConfiguration: """
                servers:
                  - { name: a, host: 127.0.0.1, port: 8099 }
                  - { name: b, host: 0.0.0.0, port: 8099 }
                """)
        #expect(result.exit == .code(78))
        #expect(
            result.errors.contains("servers[b].port: 0.0.0.0:8099 is already taken by the server at line 2"))
    }

    @Test func aTakenPortIsAClearErrorAndLeavesNothingRunning() throws {
        let other = try ScriptedOrigin { _ in }
        let free = try freePort()
        let result = try runProgram(
            withConfiguration: """
                pidfile: agent.pid
                servers:
                  - { name: good, host: 127.0.0.1, port: \(free) }
                  - { name: public, host: 127.0.0.1, port: \(other.port) }
                """)
        #expect(result.exit == .code(1))
        let line = result.errors.split(separator: "\n").first { $0.contains("Cannot start") }
        #expect(
            line?.contains("servers[public]: cannot listen on 127.0.0.1:\(other.port): the address is in use")
                == true)
        #expect(!result.errors.contains("Agent running"))
        #expect(throws: TestFailure.self) { try StreamSocket(port: free) }
    }

    @Test func aHostThatIsNotOursIsAClearError() throws {
        let result = try runProgram(
            withConfiguration: "servers: [{ name: public, host: 192.0.2.1, port: 0 }]")
        #expect(result.exit == .code(1))
        #expect(
            result.errors.contains(
                "servers[public]: cannot listen on 192.0.2.1:0: this machine has no such address"))
    }

    @Test func anIPv6AddressHasItsBracketsInMessages() throws {
        let result = try runProgram(
            withConfiguration: "servers: [{ name: public, host: \"2001:db8::1\", port: 0 }]")
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("servers[public]: cannot listen on [2001:db8::1]:0: "))
    }

    @Test func aHostNameThatNobodyKnowsIsAClearError() throws {
        let result = try runProgram(
            withConfiguration: "servers: [{ name: public, host: nowhere.invalid, port: 0 }]")
        #expect(result.exit == .code(1))
        #expect(
            result.errors.contains(
                "cannot listen on nowhere.invalid:0: the host name cannot be resolved — write an address"))
    }

    @Test func closedStandardStreamsAreNotTakenByFilesAndSockets() throws {
        let flags = ["srv", "-host", "127.0.0.1", "-port", "0", "-logfile", "/dev/fd/9"]
        let program = try ChildProcess(
            ["/bin/sh", "-c", "exec \"$0\" \"$@\" 9>&1 <&- >&- 2>&-", try wstunnelPath()] + flags)
        try program.standardOutput.waitForLine(containing: "Agent running")
        for stream in 0...2 {
            let file = try FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(program.processID)/fd/\(stream)")
            #expect(file == "/dev/null", "stream \(stream)")
        }
    }

    @Test func thePidfileIsThereWhileTheAgentRuns() throws {
        let agent = try AgentProcess(configuration: "pidfile: agent.pid\n" + serverAlone)
        #expect(try agent.folder.text(of: "agent.pid") == "\(agent.process.processID)\n")
        #expect(try agent.stop() == .code(0))
        #expect(!FileManager.default.fileExists(atPath: agent.folder.path(of: "agent.pid")))
    }

    @Test func anUnwritablePidfileIsAClearError() throws {
        let folder = try TemporaryFolder()
        try folder.write("x", to: "agent.pid/occupied")
        let path = try folder.write("pidfile: agent.pid\n" + serverAlone, to: "tunnels.yaml")
        let result = try runProgram("--config", path)
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("pidfile: cannot write"))
    }

    @Test func whatIsNoPidfileStays() throws {
        let folder = try TemporaryFolder()
        let text = "root:x:0:0:root:/root:/bin/bash\n"
        try folder.write(text, to: "agent.pid")
        let path = try folder.write("pidfile: agent.pid\n" + serverAlone, to: "tunnels.yaml")
        let result = try runProgram("--config", path)
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("agent.pid holds something else than a process id"))
        #expect(try folder.text(of: "agent.pid") == text)
    }

    /// Nor if it looks like one.
    @Test func aFileOfTheConfigurationIsNoPidfile() throws {
        let folder = try TemporaryFolder()
        let token = "12345678901234567890\n"
        try folder.write(token, to: "token")
        let path = try folder.write(
            """
            pidfile: token
            servers: [{ name: a, host: 127.0.0.1, port: 0, passwords: [{ token-file: token, password: one-password-1 }] }]
            """, to: "tunnels.yaml")
        let result = try runProgram("--config", path)
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("token is a file of the configuration"))
        #expect(try String(contentsOfFile: folder.path(of: "token"), encoding: .utf8) == token)
    }

    @Test(arguments: ["pidfile: shared/link", "log: { file: shared/link }"])
    func aLinkInAFolderOfOthersIsNotFollowed(line: String) throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "precious")
        try folder.write("", to: "shared/other")
        #expect(chmod(folder.path(of: "shared"), 0o1777) == 0)
        #expect(symlink(folder.path(of: "precious"), folder.path(of: "shared/link")) == 0)
        let path = try folder.write(line + "\n" + serverAlone, to: "tunnels.yaml")
        let result = try runProgram("--config", path)
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("shared/link"))
        #expect(result.errors.contains("is a link, and others can write to its folder"), "\(result.errors)")
        #expect(try folder.text(of: "precious") == "")
    }

    @Test func theConfigurationIsNoLogFile() throws {
        let folder = try TemporaryFolder()
        let text = "log: { file: tunnels.yaml }\n" + serverAlone
        let path = try folder.write(text, to: "tunnels.yaml")
        let result = try runProgram("--config", path)
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("it is a file of the configuration"))
        #expect(try folder.text(of: "tunnels.yaml") == text)
    }

    @Test func aStartThatFailsIsToldOnStandardErrorWhereverTheLogIs() throws {
        let other = try ScriptedOrigin { _ in }
        let result = try runProgram(
            withConfiguration:
                "log: { file: agent.log }\nservers: [{ name: public, host: 127.0.0.1, port: \(other.port) }]")
        #expect(result.exit == .code(1))
        #expect(
            result.errors.contains(
                "wstunnel: cannot start: servers[public]: cannot listen on 127.0.0.1:\(other.port)"))
    }

    @Test func aFullDiskIsToldOfOnStandardError() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("log: { file: /dev/full }\n" + serverAlone, to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        try program.standardError.waitForLine(
            containing: "cannot write to the log file /dev/full: No space left on device")
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
    }

    @Test func aSecondAgentThatCannotStartLeavesTheFirstOnesPidfile() throws {
        let port = try freePort()
        let configuration =
            "pidfile: agent.pid\nservers: [{ name: public, host: 127.0.0.1, port: \(port) }]\n"
        let first = try AgentProcess(configuration: configuration)
        let second = try runProgram("--config", first.configurationPath)
        #expect(second.exit == .code(1))
        #expect(try first.folder.text(of: "agent.pid") == "\(first.process.processID)\n")
        #expect(try first.stop() == .code(0))
    }

    @Test func aPidfileInUseIsNotTaken() throws {
        let first = try AgentProcess(configuration: "pidfile: agent.pid\n" + serverAlone)
        let second = try runProgram("--config", first.configurationPath)
        #expect(second.exit == .code(1))
        #expect(second.errors.contains("agent.pid belongs to another wstunnel that runs"))
        #expect(try first.folder.text(of: "agent.pid") == "\(first.process.processID)\n")
        first.process.send(signal: SIGKILL)
        _ = try first.process.waitForExit()
        // What a killed one left is.
        let third = try wstunnel(["--config", first.configurationPath])
        try third.standardError.waitForLine(containing: "Agent running")
        #expect(try first.folder.text(of: "agent.pid") == "\(third.processID)\n")
        third.send(signal: SIGTERM)
        #expect(try third.waitForExit() == .code(0))
    }

    /// Some file systems keep the length of what was written last, and no byte of it.
    @Test func aPidfileThatAPowerLossEmptiedIsTaken() throws {
        let folder = try TemporaryFolder()
        try folder.write(String(repeating: "\0", count: 6), to: "agent.pid")
        let path = try folder.write("pidfile: agent.pid\n" + serverAlone, to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        try program.standardError.waitForLine(containing: "Agent running")
        #expect(try folder.text(of: "agent.pid") == "\(program.processID)\n")
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
    }

    @Test func anotherProcesssPidfileIsNotRemoved() throws {
        let agent = try AgentProcess(configuration: "pidfile: agent.pid\n" + serverAlone)
        try agent.folder.write("1\n", to: "agent.pid")
        #expect(try agent.stop() == .code(0))
        #expect(try agent.folder.text(of: "agent.pid") == "1\n")
    }

    @Test func certificatesThatCannotBeUsedAreAClearError() throws {
        let result = try runProgram(
            withConfiguration: serverAlone + """

                tunnels:
                  - { name: web, tunnel: "wss://127.0.0.1:1", server: "builtin:echo", token: "start-test-token-1", \
                certfile: broken.pem }
                """,
            files: ["broken.pem": "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"])
        #expect(result.exit == .code(1))
        let line = result.errors.split(separator: "\n").first { $0.contains("Cannot start") }
        #expect(line?.contains("tunnels[web]: ") == true, "\(result.errors)")
        #expect(line?.contains("broken.pem") == true)
        #expect(!result.errors.contains("Agent running"))
    }
}
