import Foundation
import TestSupport
import Testing

/// `wstunnel check`.
@Suite(.timeLimit(.minutes(1))) struct CheckTests {
    private static let bad = """
        servres: []
        servers:
          - { name: public, prot: 8080 }
        """

    private static func check(
        _ text: String, _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws -> ProgramResult {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "tunnels.yaml")
        let program = try wstunnel(["check", "--config", path] + arguments, environment: environment)
        let exit = try program.waitForExit()
        return ProgramResult(
            exit: exit, output: program.standardOutput.text, errors: program.standardError.text)
    }

    @Test func aGoodFileIsSaidToBeGood() throws {
        let result = try Self.check(serverAlone)
        #expect(result.exit == .code(0))
        #expect(result.output.hasSuffix("tunnels.yaml: good\n"))
        #expect(result.errors.isEmpty)
    }

    @Test func aCheckBindsNoPortAndStartsNothing() throws {
        let taken = try ScriptedOrigin { _ in }
        let result = try Self.check("servers: [{ name: public, host: 127.0.0.1, port: \(taken.port) }]")
        #expect(result.exit == .code(0))
    }

    @Test func everyErrorIsPrintedWithItsPlaceAndANearMiss() throws {
        let result = try Self.check(Self.bad)
        #expect(result.exit == .code(78))
        #expect(result.output.isEmpty)
        let lines = result.errors.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(
            lines.first?.contains(#"tunnels.yaml:1:1: unknown key "servres" — did you mean "servers"?"#)
                == true)
        #expect(result.errors.contains(#":3:21: servers[public]: unknown key "prot" — did you mean "port"?"#))
        #expect(lines.last == "2 errors, 0 warnings")
        // Not a terminal: neither excerpts nor colours.
        #expect(!result.errors.contains("^"))
        #expect(!result.errors.contains("\u{1b}"))
    }

    @Test func warningsDoNotFail() throws {
        let text = """
            tunnels:
              - { name: web, tunnel: "ws://t.example.com", regexp: "https://.*some.example.com", token: "warning-token-0001" }
            """
        let result = try Self.check(text)
        #expect(result.exit == .code(0))
        #expect(result.errors.contains("warning: tunnels[web].regexp"))
        #expect(result.errors.contains("0 errors, "))
    }

    @Test(arguments: [false, true]) func jsonIsOneObjectOnStandardOutput(isBad: Bool) throws {
        let result = try Self.check(isBad ? Self.bad : serverAlone, ["--format", "json"])
        #expect(result.exit == .code(isBad ? 78 : 0))
        #expect(result.errors.isEmpty)
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        #expect(object?["valid"] as? Bool == !isBad)
        #expect(object?["errors"] as? Int == (isBad ? 2 : 0))
        let problems = object?["problems"] as? [[String: Any]]
        #expect(problems?.count == (isBad ? 2 : 0))
        if isBad {
            #expect(problems?.last?["line"] as? Int == 3)
            #expect(problems?.last?["path"] as? String == "servers[public]")
        }
    }

    @Test func offlineLooksAtTheFileAlone() throws {
        let text = """
            tunnels:
              - { name: web, tunnel: "ws://t.example.com", server: "http://localhost", token: "${NOT_SET_ANYWHERE}" }
              - { name: crm, tunnel: "ws://t.example.com", server: "http://localhost", token-file: /nowhere/token }
              - { name: erp, tunnel: "ws://t.example.com", server: "http://localhost", token-command: [/nowhere/tool] }
            """
        let online = try Self.check(text)
        #expect(online.exit == .code(78))
        #expect(
            online.errors.contains("tunnels[web].token: ${NOT_SET_ANYWHERE} is not set in the environment"))
        #expect(online.errors.contains("tunnels[crm].token-file: cannot read"))
        #expect(online.errors.contains("tunnels[erp].token-command"))
        #expect(online.errors.contains("3 errors, 0 warnings"))
        let offline = try Self.check(text, ["--offline"])
        #expect(offline.exit == .code(0))
    }

    @Test func variablesComeFromTheEnvironment() throws {
        let text = """
            tunnels:
              - { name: web, tunnel: "ws://t.example.com", server: "http://localhost", token: "${TEST_TOKEN}" }
            """
        #expect(try Self.check(text, environment: ["TEST_TOKEN": "token-from-outside"]).exit == .code(0))
        let short = try Self.check(text, environment: ["TEST_TOKEN": "short-secret"])
        #expect(short.exit == .code(78))
        #expect(!short.errors.contains("short-secret"))
    }
}
