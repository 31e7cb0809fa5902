import TestSupport
import Testing

/// Several tunnel clients on one token.
@Suite struct SharedTokenTests {
    private static let token = [("X-Token", TunnelPair.token)]

    private static func origin(_ name: String) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.respond(text: "\(name) \(request.target)")
            }
        }
    }

    private static func client(port: Int, to origin: ScriptedOrigin, connections: Int) throws -> AgentProcess
    {
        try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: origin.url, options: ["connections: \(connections)"]))
    }

    @Test(.timeLimit(.minutes(1)), arguments: [1, 2]) func twoClientsShareTheLoad(connections: Int) throws {
        let origins = [try Self.origin("first"), try Self.origin("second")]
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let clients = try origins.map {
            try Self.client(port: port, to: $0, connections: connections)
        }
        try server.waitForSessions(2 * connections)
        let answers = try inThreads(10) { caller in
            let connection = try HTTPConnection(port: port)
            return try (0..<20).map { number in
                let target = "/\(caller)/\(number)"
                let answer = try connection.exchange("GET", target, fields: Self.token)
                guard answer.status == 200, answer.text.hasSuffix(" " + target) else {
                    throw TestFailure("\(target): \(answer.head) \(answer.text)")
                }
                return answer.text.hasPrefix("first") ? 0 : 1
            }
        }.flatMap { $0 }
        for which in 0..<2 {
            let share = answers.filter { $0 == which }.count
            #expect(share >= 20, "client \(which) served \(share) of 200")
        }
        #expect(clients.allSatisfy { $0.process.exit == nil })
    }

    @Test(.timeLimit(.minutes(1))) func oneClientMoreThanAllowedIsRefused() throws {
        let origins = [try Self.origin("first"), try Self.origin("second")]
        let server = try AgentProcess(configuration: Configuration.server(["max-clients-per-token: 1"]))
        let port = try server.port(ofServer: "public")
        // All connections of one client count once.
        let first = try Self.client(port: port, to: origins[0], connections: 2)
        try server.waitForSessions(2)
        let second = try Self.client(port: port, to: origins[1], connections: 1)
        try server.waitForLog("Tunnel refused", ["error.code": "too-many-clients"])
        let complaint = try second.waitForLog("Cannot connect", ["tunnel.name": "web"])
        #expect(complaint["error.message"]?.contains("429") == true)
        #expect(complaint["error.message"]?.contains("Too many clients") == true, "\(complaint.fields)")
        let connection = try HTTPConnection(port: port)
        for number in 0..<20 {
            let answer = try connection.exchange("GET", "/\(number)", fields: Self.token)
            #expect(answer.text == "first /\(number)")
        }
        #expect(first.process.exit == nil)
    }
}
