import Foundation
import TestSupport
import Testing

/// `wstunnel srv` and `wstunnel cli`, as unit files and scripts of the Go program call them.
@Suite(.timeLimit(.minutes(1))) struct GoCommandTests {
    /// The token of the Go program's README.
    private static let token = "my_b!g_$secret!!"

    private static func server(_ flags: String..., environment: [String: String] = [:]) throws -> AgentProcess
    {
        try AgentProcess(
            arguments: ["srv", "-port", "0", "-host", "127.0.0.1"] + flags, environment: environment)
    }

    @Test func aPairCarriesARequest() throws {
        let server = try Self.server("--passwords=\(Self.token):mypassword", "-base-path", "/wstunnel")
        let port = try server.port(ofServer: "srv")
        let origin = try ScriptedOrigin.echo()
        let client = try AgentProcess(arguments: [
            "cli", "-tunnel", "ws://127.0.0.1:\(port)/wstunnel", "-server", origin.url, "-token",
            "\(Self.token):mypassword",
        ])
        try client.waitForSession(ofTunnel: "cli", at: server)
        let caller = try HTTPConnection(port: port)
        #expect(try caller.exchange("GET", "/wstunnel/_token/\(Self.token)/some/web/page").status == 200)
        #expect(
            try caller.exchange("GET", "/wstunnel/some/web/page", fields: [("X-Token", Self.token)]).status
                == 200)
        #expect(try client.stop() == .code(0))
        #expect(try server.stop() == .code(0))
    }

    @Test func secretsOfTheEnvironmentOpenTheTunnelAndAreNotInherited() throws {
        let server = try Self.server(environment: ["WSTUNNEL_PASSWORDS": "\(Self.token):hidden-word-1"])
        let port = try server.port(ofServer: "srv")
        let client = try AgentProcess(
            arguments: ["cli", "-tunnel", "ws://127.0.0.1:\(port)", "-server", "builtin:echo"],
            environment: ["WSTUNNEL_TOKEN": Self.token, "WSTUNNEL_PASSWORD": "hidden-word-1"])
        try client.waitForSession(ofTunnel: "cli", at: server)
        for process in [server.process, client.process] {
            let environment = try Self.file("environ", of: process)
            #expect(!environment.contains("hidden-word-1"))
            #expect(!environment.contains(Self.token))
            #expect(!process.standardError.text.contains("hidden-word-1"))
        }
        let wrong = try AgentProcess(
            arguments: ["cli", "-tunnel", "ws://127.0.0.1:\(port)", "-server", "builtin:echo"],
            environment: ["WSTUNNEL_TOKEN": Self.token, "WSTUNNEL_PASSWORD": "wrong"])
        try wrong.waitForLog("Cannot connect", ["error.code": "rejected"])
    }

    @Test func secretsOfFilesOpenTheTunnel() throws {
        let folder = try TemporaryFolder()
        let pairs = try folder.write("\(Self.token):of-a-file\n", to: "pairs")
        let server = try Self.server("-passwords-file", pairs)
        let client = try AgentProcess(arguments: [
            "cli", "-tunnel", "ws://127.0.0.1:\(server.port(ofServer: "srv"))", "-server", "builtin:echo",
            "-token-file", folder.write(Self.token + "\n", to: "token"),
            "-password-file", folder.write("of-a-file\n", to: "password"),
        ])
        try client.waitForSession(ofTunnel: "cli", at: server)
        #expect(!client.process.standardError.text.contains("warning:"))
    }

    @Test func theProcessListingHoldsNoSecret() throws {
        let server = try Self.server(
            "-passwords", "visible!-hidden-0001:hidden-0002", "-robowhois", "hidden-0003")
        let client = try AgentProcess(arguments: [
            "cli", "-token", "visible!-hidden-0001:hidden-0002",
            "--tunnel=ws://user:hidden-0004@127.0.0.1:1/x",
            "-server", "builtin:echo", "-proxy", "http://user:hidden-0005@127.0.0.1:1",
        ])
        let serverLine = try Self.file("cmdline", of: server.process)
        #expect(
            serverLine.hasSuffix("-port 0 -host 127.0.0.1 -passwords *** -robowhois ***"), "\(serverLine)")
        let clientLine = try Self.file("cmdline", of: client.process)
        #expect(
            clientLine.hasSuffix(
                "-token *** --tunnel=ws://***@127.0.0.1:1/x -server builtin:echo -proxy http://***@127.0.0.1:1"
            ),
            "\(clientLine)")
        #expect(try server.stop() == .code(0))
        #expect(try client.stop() == .code(0))
        for process in [server.process, client.process] {
            #expect(!process.standardError.text.contains("hidden"))
            #expect(
                process.standardError.lines.count { $0.contains("a secret stands on the command line") } == 1)
        }
    }

    /// Words of a file in /proc, NUL as a space, those that were emptied left out.
    private static func file(_ name: String, of process: ChildProcess) throws -> String {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(process.processID)/\(name)"))
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
    }

    @Test(arguments: ["srv", "cli"]) func aBadFlagShowsTheUsageAndExits2(_ command: String) throws {
        let result = try runProgram(command, "-nonsense")
        #expect(result.exit == .code(2))
        #expect(
            result.errors.hasPrefix(
                "wstunnel \(command): \"-nonsense\" is no flag of wstunnel \(command)\nUsage: wstunnel \(command)"
            ))
        #expect(result.errors.split(separator: "\n").count == 3)
        #expect(result.output.isEmpty)
    }

    /// A server that starts where somebody asked for help would be open to everybody.
    @Test(arguments: ["srv", "cli", "whois"], ["help", "status", "version", "stray"])
    func aStrayWordStartsNothing(_ command: String, _ word: String) throws {
        let result = try runProgram(command, word)
        #expect(result.exit == .code(2))
        #expect(result.output.isEmpty)
        #expect(result.errors.hasPrefix("wstunnel \(command): "))
        #expect(!result.errors.contains("Listening"))
        if word != "stray" { #expect(result.errors.contains("did you mean \"wstunnel ")) }
    }

    @Test(arguments: ["srv", "cli", "whois"], ["-h", "--h", "-help", "--help"])
    func helpIsTheUsageAndExits0(_ command: String, _ flag: String) throws {
        let result = try runProgram(command, flag)
        #expect(result.exit == .code(0))
        #expect(result.output.hasPrefix("Usage: wstunnel \(command) [flags]\n"))
        #expect(result.errors.isEmpty)
    }

    @Test func everyMistakeIsToldBeforeAnythingStarts() throws {
        let folder = try TemporaryFolder()
        let result = try runProgram(
            "cli", "-token", "0123456789012345", "-tunnel", "http://localhost:80", "-server", "ws://h",
            "-client-ports",
            "8100..8000", "-log-level", "loud", "-pidfile", folder.path(of: "pid"))
        #expect(result.exit == .code(2))
        #expect(result.output.isEmpty)
        let lines = result.errors.split(separator: "\n").map(String.init)
        #expect(
            lines.filter { !$0.contains("warning:") } == [
                "wstunnel cli: -log-level: \"loud\" is unknown — write one of trace, debug, info, warn, error",
                "wstunnel cli: -tunnel: \"http://localhost:80\" is a web address; \"tunnel\" is the tunnel server "
                    + "(ws:// or wss://) — write ws://, or did you swap \"server\" and \"tunnel\"?",
                "wstunnel cli: -server: \"ws://h\" is a tunnel address; \"server\" is the local web server (http:// "
                    + "or https://). Did you swap \"server\" and \"tunnel\"?",
                "wstunnel cli: -client-ports: the range \"8100..8000\" is upside down — write 8000..8100",
                "See \"wstunnel cli -h\".",
            ])
        #expect(!FileManager.default.fileExists(atPath: folder.path(of: "pid")))
    }

    @Test func aPrintedConfigurationIsGood() throws {
        let printed = try runProgram(
            "cli", "-print-config", "-token", "\(Self.token):hidden", "-tunnel", "ws://h", "-server",
            "http://h")
        #expect(printed.exit == .code(0))
        #expect(!printed.output.contains("hidden"))
        #expect(!printed.output.contains(Self.token))
        let folder = try TemporaryFolder()
        let path = try folder.write(printed.output, to: "tunnels.yaml")
        let good = try runProgram(
            "check", "--config", path,
            environment: ["WSTUNNEL_TOKEN": Self.token, "WSTUNNEL_PASSWORD": "hidden"])
        #expect(good.exit == .code(0), "\(good.errors)")
        #expect(try runProgram("check", "--config", path).exit == .code(78))
    }

    @Test func aTakenPortFailsAsWithAFile() throws {
        let other = try ScriptedOrigin { _ in }
        let result = try runProgram("srv", "-host", "127.0.0.1", "-port", "\(other.port)")
        #expect(result.exit == .code(1))
        #expect(result.errors.contains("the address is in use"))
    }

    @Test func thePidfileAndTheLogFileAreWritten() throws {
        let folder = try TemporaryFolder()
        let log = try folder.write("", to: "log")
        let process = try wstunnel([
            "srv", "-port", "0", "-pidfile", folder.path(of: "pid"), "-logfile", log, "-log-pretty",
        ])
        while try !folder.text(of: "log").contains("Agent running") {
            try #require(process.exit == nil)
            usleep(10_000)
        }
        #expect(try folder.text(of: "pid") == "\(process.processID)\n")
        #expect(try folder.text(of: "log").contains(" INFO  agent: Agent running"))
        process.send(signal: SIGTERM)
        #expect(try process.waitForExit() == .code(0))
    }

    @Test(arguments: [["version"], ["-version"], ["--version"]])
    func theVersionIsOneLine(_ arguments: [String]) throws {
        let program = try wstunnel(arguments)
        #expect(try program.waitForExit() == .code(0))
        #expect(program.standardOutput.text.wholeMatch(of: /wstunnel [0-9]+\.[0-9]+\.[0-9]+[^\n]*\n/) != nil)
    }

    @Test(arguments: [["version", "x"], ["-version", "x"], ["--version", "x"], ["-v", "x"]])
    func aWordBehindItIsAMistake(_ arguments: [String]) throws {
        let program = try wstunnel(arguments)
        #expect(try program.waitForExit() == .code(64))
        #expect(program.standardOutput.text.isEmpty)
        #expect(program.standardError.text.contains("Usage: wstunnel version"))
    }
}
