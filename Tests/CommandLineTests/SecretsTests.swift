import Foundation
import TestSupport
import Testing

/// No token and no password in any log, message or process listing, whatever goes wrong.
@Suite(.timeLimit(.minutes(1))) struct SecretsTests {
    /// Words that must not be seen whole. A token's first 8 characters may be.
    private static let token = "visible!-hidden-token-0001"
    private static let password = "hidden-password-0002"
    private static let otherPassword = "hidden-password-0003"
    private static let urlPassword = "hidden-password-0004"

    private static var forms: [String] {
        let words = [token, password, otherPassword, urlPassword, String(token.dropFirst(8))]
        let pairs = ["\(token):\(password)", "\(token):\(otherPassword)", "user:\(urlPassword)"]
        return words + pairs.map { Data($0.utf8).base64EncodedString() }
    }

    private static func expectNothing(in text: String, _ place: String) {
        for form in forms { #expect(!text.contains(form), "\(form) in \(place)") }
    }

    private static func serverConfiguration(password: String = password) -> String {
        """
        log: { level: trace }
        servers:
          - name: public
            host: 127.0.0.1
            port: 0
            passwords: [{ token: "\(token)", password: "\(password)" }]
        """
    }

    private static func clientConfiguration(_ port: Int, password: String = password) -> String {
        """
        log: { level: trace }
        tunnels:
          - name: web
            tunnel: "ws://user:\(urlPassword)@127.0.0.1:\(port)"
            server: builtin:echo
            token: "\(token)"
            password: "\(password)"
            connections: 1
        """
    }

    @Test func nothingIsToldByAWorkingTunnel() throws {
        let server = try AgentProcess(configuration: Self.serverConfiguration())
        let port = try server.port(ofServer: "public")
        let client = try AgentProcess(configuration: Self.clientConfiguration(port))
        try server.waitForLog("Session joined")
        let caller = try HTTPConnection(port: port)
        #expect(try caller.exchange("GET", "/", fields: [("X-Token", Self.token)]).status == 200)
        let encoded = Self.token.replacing("!", with: "%21")
        #expect(try caller.exchange("GET", "/_token/\(encoded)/x").status == 200)
        #expect(try caller.exchange("GET", "/_token/\(Self.token)/x").status == 200)
        #expect(try caller.exchange("GET", "/_token/\(Self.token)").status == 308)
        // Mistakes of callers.
        #expect(try caller.exchange("GET", "/_token/\(Self.token)-of-nobody/x").status == 404)
        #expect(try caller.exchange("GET", "/_tokens/\(Self.token)/x").status == 400)
        #expect(
            try caller.exchange("GET", "/", fields: [("X-Token", Self.token), ("X-Token", Self.token)]).status
                == 400)
        for process in [server.process, client.process] {
            let line = try String(contentsOfFile: "/proc/\(process.processID)/cmdline", encoding: .utf8)
            Self.expectNothing(in: line, "the process listing")
        }
        #expect(try client.stop() == .code(0))
        #expect(try server.stop() == .code(0))
        Self.expectNothing(in: server.process.standardError.text, "the server's log")
        Self.expectNothing(in: client.process.standardError.text, "the client's log")
        #expect(server.process.standardError.text.contains("visible!..."))
    }

    @Test func nothingIsToldByARefusedTunnel() throws {
        let server = try AgentProcess(configuration: Self.serverConfiguration())
        let port = try server.port(ofServer: "public")
        let client = try AgentProcess(
            configuration: Self.clientConfiguration(port, password: Self.otherPassword))
        try client.waitForLog("Cannot connect", ["error.code": "rejected"])
        try server.waitForLog("Tunnel refused", ["error.code": "unauthorized"])
        #expect(try client.stop() == .code(0))
        #expect(try server.stop() == .code(0))
        Self.expectNothing(in: server.process.standardError.text, "the server's log")
        Self.expectNothing(in: client.process.standardError.text, "the client's log")
    }

    /// Debugging servers send back what they were sent.
    @Test(arguments: ["Origin", "Authorization", "X-Tunnel-Authorization"])
    func nothingIsToldWhenAServerRepeatsWhatItWasTold(_ field: String) throws {
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.respond(404, text: "no such page; you sent \(request[field] ?? "nothing")\n")
        }
        let client = try AgentProcess(configuration: Self.clientConfiguration(server.port))
        let line = try client.waitForLog("Cannot connect")
        #expect(line["error.message"]?.contains("the server answered 404: no such page; you sent ") == true)
        #expect(try client.stop() == .code(0))
        Self.expectNothing(in: client.process.standardError.text, "the client's log")
    }

    @Test(arguments: [
        "token: \"\(token)", "token: [\"\(token)\"]", "token: { a: \"\(token)\" }", "token: \"\(token) \"",
        "token: &a \"\(token)\"\n    token: *a", "token: !!int \"\(token)\"", "tokken: \"\(token)\"",
        "token: \"\(token)\"\n    token-file: \"\(password)\"x", "password: \(password)\n   bad: indentation",
        "token: \"\(token)\"\n    password: \"\(password)\\q\"", "token: \"\(token)${\"",
        "tunnel: \"ws://user:\(urlPassword)@:80:80\"", "tunnel: \"http://user:\(urlPassword)@host\"",
        "server: \"http://user:\(urlPassword)@host\"", "token: \"\(token):\(password)\"\n    password: \"x\"",
    ])
    func nothingIsToldByErrorsOfTheConfiguration(_ lines: String) throws {
        let result = try runProgram(
            withConfiguration: """
                tunnels:
                  - name: web
                    \(lines)
                """)
        #expect(result.exit == .code(78))
        Self.expectNothing(in: result.errors, "the errors: \(result.errors)")
        Self.expectNothing(in: result.output, "the output")
    }
}
