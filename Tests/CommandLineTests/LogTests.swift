import Foundation
import TestSupport
import Testing

/// Where the log goes, what it looks like, and what the hangup signal does.
@Suite(.timeLimit(.minutes(1))) struct LogTests {
    private static let noChanges = "No changes in the configuration"

    @Test func everyJSONLineIsAnObject() throws {
        let program = try Self.start("log: { format: json, level: trace }\n" + serverAlone)
        try program.standardError.waitForLine(containing: #""Agent running""#)
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
        let lines = program.standardError.lines
        #expect(lines.count >= 4)
        for line in lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["message"] is String, "\(line)")
            #expect(object?["level"] is String, "\(line)")
        }
    }

    @Test func numbersAreNumbersInJSON() throws {
        let port = try freePort()
        let folder = try TemporaryFolder()
        func text(_ timeout: Int) -> String {
            "log: { format: json, level: debug }\n"
                + pairConfiguration(
                    port: port, origin: "builtin:echo", token: "log-test-token-0001",
                    server: "wstimeout: \(timeout)")
        }
        let path = try folder.write(text(30), to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        try program.standardError.waitForLine(containing: #""Session joined""#)
        _ = try HTTPConnection(port: port).exchange("GET", "/", fields: [("X-Token", "log-test-token-0001")])
        try folder.write(text(31), to: "tunnels.yaml")
        program.send(signal: SIGHUP)
        try program.standardError.waitForLine(containing: #""Configuration applied""#)
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
        let ends = [
            ".ms", ".count", ".id", ".bytes", "protocol.version", "config.generation", "limit", "status",
        ]
        var seen: Set<String> = []
        for line in program.standardError.lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            for (key, value) in object where ends.contains(where: key.hasSuffix) {
                seen.insert(key)
                #expect(value is NSNumber, "\(key) in \(line)")
            }
        }
        #expect(
            seen.isSuperset(of: [
                "process.id", "server.count", "tunnel.count", "session.id", "request.id", "protocol.version",
                "config.generation", "duration.ms", "status", "response.bytes",
            ]), "\(seen)")
    }

    @Test func everyLogfmtLineIsKeysAndValues() throws {
        let agent = try AgentProcess(configuration: "log: { level: trace }\n" + serverAlone)
        #expect(try agent.stop() == .code(0))
        for line in agent.log { #expect(try LogfmtLine(line)["message"] != nil) }
    }

    @Test func textIsForPeople() throws {
        let program = try Self.start("log: { format: text }\n" + serverAlone)
        let line = try program.standardError.waitForLine(containing: "Agent running")
        #expect(!line.contains("message="))
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
    }

    @Test func aLogFileThatCannotBeOpenedIsAClearError() throws {
        let result = try runProgram(
            withConfiguration: "log: { file: folder }\n" + serverAlone, files: ["folder/file": ""])
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("log.file: "))
        #expect(result.errors.contains("folder"))
    }

    @Test func theHangupSignalReopensTheLogFileAndEndsNothing() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(
            "log: { file: agent.log, format: logfmt }\n" + serverAlone, to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        try Self.wait(for: "Agent running", inFile: folder.path(of: "agent.log"), of: program)
        try FileManager.default.moveItem(
            atPath: folder.path(of: "agent.log"), toPath: folder.path(of: "agent.log.1"))
        program.send(signal: SIGHUP)
        // It is opened anew although the configuration is as it was.
        try Self.wait(for: Self.noChanges, inFile: folder.path(of: "agent.log"), of: program)
        #expect(!(try folder.text(of: "agent.log.1").contains(Self.noChanges)))
        #expect(program.exit == nil)
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
        #expect(try folder.text(of: "agent.log").contains("Agent stopped"))
        #expect(program.standardError.text.isEmpty)
    }

    @Test func aHangupWhileSecretsAreReadEndsNothing() throws {
        let folder = try TemporaryFolder()
        // The command tells that it runs, and ends when it is let.
        try folder.write(
            """
            #!/bin/sh
            : >"$(dirname "$0")/begun"
            while ! [ -e "$(dirname "$0")/go" ]; do sleep 0.02; done
            echo command-token-0123456
            """, to: "command", mode: 0o700)
        let path = try folder.write(
            """
            tunnels:
              - { name: web, tunnel: "ws://127.0.0.1:1", server: "builtin:echo", token-command: ["\(folder.path)/command"] }
            """, to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        try Self.waitForFile(folder.path(of: "begun"), of: program)
        program.send(signal: SIGHUP)
        try folder.write("", to: "go")
        try program.standardError.waitForLine(containing: "Agent running")
        // It is obeyed as soon as there is an agent: the file may have changed since it was read.
        try program.standardError.waitForLine(containing: Self.noChanges)
        program.send(signal: SIGTERM)
        #expect(try program.waitForExit() == .code(0))
    }

    @Test func repeatedHangupsEndNothing() throws {
        let agent = try AgentProcess(configuration: serverAlone)
        for _ in 0..<50 { agent.process.send(signal: SIGHUP) }
        try agent.waitForLog(Self.noChanges, ["level": "notice"])
        let answer = try HTTPConnection(port: agent.port(ofServer: "public")).exchange(
            "GET", "/_health_check")
        #expect(answer.status == 200)
        #expect(try agent.stop() == .code(0))
    }

    /// A file tells nobody that it has grown, so it is looked at again and again.
    static func wait(
        for text: String, inFile path: String, of program: ChildProcess
    ) throws {
        try poll(program, "\(text) in \(path)") {
            (try? String(contentsOfFile: path, encoding: .utf8))?.contains(text) == true
        }
    }

    private static func waitForFile(_ path: String, of program: ChildProcess) throws {
        try poll(program, path) { FileManager.default.fileExists(atPath: path) }
    }

    private static func poll(
        _ program: ChildProcess, _ what: String, until isTrue: () -> Bool
    ) throws {
        let deadline = Date(timeIntervalSinceNow: 20)
        while !isTrue() {
            guard Date() < deadline, program.exit == nil else {
                throw TestFailure(
                    "waited for \(what); exit \(String(describing: program.exit)): \(program.standardError.text)"
                )
            }
            usleep(10_000)
        }
    }

    private static func start(_ text: String) throws -> ChildProcess {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "tunnels.yaml")
        let program = try wstunnel(["--config", path])
        // The file is read at the start; the folder may go once a line was written.
        try program.standardError.waitForLine(what: "any line") { _ in true }
        withExtendedLifetime(folder) {}
        return program
    }
}
