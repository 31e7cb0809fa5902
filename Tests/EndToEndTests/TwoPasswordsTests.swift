import TestSupport
import Testing

/// `tunnel: ws://user:password@…` beside `password:` — two passwords that both want the field `Authorization`.
@Suite(.timeLimit(.minutes(1))) struct TwoPasswordsTests {
    private static let passwords = (token: "password-of-the-token", door: "password-of-the-door")

    private static func client(_ port: Int, connections: Int = 2, token: String = passwords.token) throws
        -> AgentProcess
    {
        try AgentProcess(
            configuration: Configuration.client(
                tunnel: "\"ws://user:\(passwords.door)@127.0.0.1:\(port)\"", to: "builtin:echo",
                options: ["password: \(token)", "connections: \(connections)"]))
    }

    private static func server() throws -> (agent: AgentProcess, port: Int) {
        let agent = try AgentProcess(
            configuration: Configuration.server([
                "passwords: [{ token: \(TunnelPair.token), password: \(passwords.token) }]"
            ]))
        return (agent, try agent.port(ofServer: "public"))
    }

    /// nginx that asks for a user and a password, and hands the field on as it came.
    private static func door(_ folder: TemporaryFolder, to port: Int) throws -> NginxFront {
        let users = try folder.write("user:{PLAIN}\(passwords.door)\n", to: "users", mode: 0o644)
        return try NginxFront(
            """
            auth_basic "door";
            auth_basic_user_file \(users);
            location / {
                proxy_pass http://127.0.0.1:\(port);
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection upgrade;
            }
            """)
    }

    @Test func bothPassAProxyThatAsksForOne() throws {
        let folder = try TemporaryFolder()
        let (server, port) = try Self.server()
        let door = try Self.door(folder, to: port)
        let client = try Self.client(door.port)
        try server.waitForSessions(2)
        let line = try client.waitForLog(
            "The token's password went in X-Tunnel-Authorization: what stands before the server wants the other"
        )
        #expect(line["level"] == "info")
        let answer = try HTTPConnection(port: port).exchange(
            "GET", "/", fields: [("X-Token", TunnelPair.token)])
        #expect(answer.status == 200)
        // It is known now where which one goes: a new connection takes one try.
        #expect(try client.stop() == .code(0))
        #expect(!client.log.contains { $0.contains("Cannot connect") })
        for secret in [Self.passwords.token, Self.passwords.door] {
            #expect(!(client.log + server.log).contains { $0.contains(secret) })
        }
    }

    @Test func bothAreTakenWithoutAProxy() throws {
        let (server, port) = try Self.server()
        let client = try Self.client(port)
        try server.waitForSessions(2)
        #expect(!client.log.contains { $0.contains("Authorization") })
    }

    /// Behind the door the server says why; what the door says of the other order is no help.
    @Test func aWrongPasswordOfTheTokenIsTheServersWord() throws {
        let folder = try TemporaryFolder()
        let (server, port) = try Self.server()
        let door = try Self.door(folder, to: port)
        let client = try Self.client(door.port, connections: 1, token: "wrong-password")
        let line = try client.waitForLog("Cannot connect", ["error.code": "rejected"])
        #expect(line["error.message"]?.contains("401") == true)
        #expect(line["error.message"]?.contains("nginx") == false)
        try server.waitForLog("Tunnel refused", ["error.code": "unauthorized"])
    }

    /// Who stands before it may look into the other field.
    @Test func theGoProgramsServerFindsItsPasswordWhereItLooks() throws {
        var options = OldTunnelServer.Options()
        options.passwords = [TunnelPair.token: Self.passwords.token]
        options.userinfo = "user:\(Self.passwords.door)"
        options.clientsHavePasswords = true
        let server = try OldTunnelServer(options)
        let client = try Self.client(server.port, connections: 1)
        try server.waitForClients(1)
        #expect(server.violations == [])
        #expect(client.process.exit == nil)
    }
}
