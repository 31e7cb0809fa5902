import Foundation
import TestSupport
import Testing

/// Tunnel clients that knock in a wrong way.
///
/// Serialized: these tests block their threads, so that beside each other they would use up each other's time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct HostileHandshakeTests {
    /// For handshakes that are refused; the passwords that fail here stay below the tolerance.
    private static let shared = SharedWhileUsed<AgentProcess>()

    struct Example: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let status: Int
        let words: String
        var method = "GET"
        /// Fields that replace those of a right handshake; an empty value leaves the field out.
        var fields: [String: String] = [:]
    }

    private static let listed = "handshake-listed-token"

    private static func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }

    private static let unauthorized = "Unauthorized: password missing or wrong, or token not listed"
    private static let notWebSocket = "Not a WebSocket handshake"

    static let examples: [Example] = [
        Example(
            testDescription: "no Origin", status: 400, words: "Origin header with rendez-vous token required",
            fields: ["Origin": ""]),
        Example(
            testDescription: "a short token", status: 400, words: "Rendez-vous token is too short",
            fields: ["Origin": "short-token-015"]),
        Example(
            testDescription: "a token with a blank", status: 400, words: "Rendez-vous token is malformed",
            fields: ["Origin": "token with a blank in it"]),
        Example(
            testDescription: "a token without end", status: 400, words: "Rendez-vous token is malformed",
            fields: ["Origin": String(repeating: "t", count: 2000)]),
        Example(testDescription: "no password", status: 401, words: unauthorized, fields: ["Origin": listed]),
        Example(
            testDescription: "a wrong password", status: 401, words: unauthorized,
            fields: ["Origin": listed, "Authorization": basic("\(listed):wrong")]),
        Example(
            testDescription: "another user", status: 401, words: unauthorized,
            fields: ["Origin": listed, "Authorization": basic("\(listed)x:right-password")]),
        Example(
            testDescription: "no colon", status: 401, words: unauthorized,
            fields: ["Origin": listed, "Authorization": basic(listed)]),
        Example(
            testDescription: "no base64", status: 401, words: unauthorized,
            fields: ["Origin": listed, "Authorization": "Basic !!!!"]),
        Example(
            testDescription: "cut base64", status: 401, words: unauthorized,
            fields: ["Origin": listed, "Authorization": String(basic("\(listed):right-password").dropLast())]),
        Example(
            testDescription: "another scheme", status: 401, words: unauthorized,
            fields: ["Origin": listed, "Authorization": "Bearer right-password"]),
        Example(
            testDescription: "POST", status: 400, words: "Only GET requests are supported", method: "POST"),
        Example(testDescription: "HEAD", status: 400, words: "", method: "HEAD"),
        Example(testDescription: "no upgrade", status: 400, words: notWebSocket, fields: ["Upgrade": ""]),
        Example(
            testDescription: "another upgrade", status: 400, words: notWebSocket, fields: ["Upgrade": "h2c"]),
        Example(
            testDescription: "no Connection", status: 400, words: notWebSocket, fields: ["Connection": ""]),
        Example(
            testDescription: "another version", status: 400, words: notWebSocket,
            fields: ["Sec-WebSocket-Version": "8"]),
        Example(
            testDescription: "no version", status: 400, words: notWebSocket,
            fields: ["Sec-WebSocket-Version": ""]),
        Example(
            testDescription: "no key", status: 400, words: notWebSocket, fields: ["Sec-WebSocket-Key": ""]),
        Example(testDescription: "a body", status: 400, words: notWebSocket, fields: ["Content-Length": "5"]),
    ]

    private static func server() throws -> AgentProcess {
        try AgentProcess(
            configuration: """
                servers:
                  - name: public
                    host: 127.0.0.1
                    port: 0
                    max-clients-per-token: 1
                    passwords: [{ token: \(listed), password: right-password }]
                """)
    }

    private static func knock(_ port: Int, _ changes: [String: String], method: String = "GET") throws
        -> HTTPResponse
    {
        var fields = [
            "Host": "a", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "wstunnel.v2",
            "Origin": "handshake-open-token",
        ]
        fields.merge(changes) { $1 }
        let caller = try HTTPConnection(port: port)
        let lines = fields.filter { !$0.value.isEmpty }.map { "\($0.key): \($0.value)\r\n" }.joined()
        try caller.send("\(method) /_tunnel HTTP/1.1\r\n\(lines)\r\n")
        return try caller.readResponse(toMethod: method)
    }

    @Test(arguments: examples) func aWrongHandshakeIsRefusedInWords(_ example: Example) throws {
        let server = try Self.shared.value { try Self.server() }
        let answer = try Self.knock(server.port(ofServer: "public"), example.fields, method: example.method)
        #expect(answer.status == example.status)
        #expect(
            example.words.isEmpty ? answer.text.isEmpty : answer.text.contains(example.words),
            "\(answer.text)")
        #expect(answer.head["X-Content-Type-Options"] == "nosniff")
        #expect(answer.head["WWW-Authenticate"] == (example.status == 401 ? "Basic realm=\"wstunnel\"" : nil))
    }

    @Test func aRightHandshakeIsTaken() throws {
        let server = try Self.server()
        let port = try server.port(ofServer: "public")
        let password = Self.basic("\(Self.listed):right-password")
        #expect(try Self.knock(port, ["Origin": Self.listed, "Authorization": password]).status == 101)
        #expect(
            try Self.knock(port, ["Connection": "keep-alive, UPGRADE", "Upgrade": "WebSocket"]).status == 101)
    }

    @Test func whoGuessesPasswordsMustWait() throws {
        let server = try Self.server()
        let port = try server.port(ofServer: "public")
        let right = Self.basic("\(Self.listed):right-password")
        // Some failures are forgiven as time passes.
        var refusals: [Int] = []
        for number in 0..<40 where refusals.last != 429 {
            let wrong = ["Origin": Self.listed, "Authorization": Self.basic("\(Self.listed):\(number)")]
            refusals.append(try Self.knock(port, wrong).status)
        }
        #expect(refusals.count > 10)
        #expect(refusals.dropLast().allSatisfy { $0 == 401 })
        let answer = try Self.knock(port, ["Origin": Self.listed, "Authorization": right])
        #expect(answer.status == 429)
        #expect(answer.head["Retry-After"] != nil)
        // Callers are not meant.
        #expect(try HTTPConnection(port: port).exchange("GET", "/_health_check").status == 200)
    }

    /// Tunnels of one site share its address: one that has a wrong password must not get the others refused.
    @Test func aTunnelWithAWrongPasswordDoesNotGetOthersOfItsAddressRefused() throws {
        let server = try AgentProcess(
            configuration: """
                servers:
                  - name: public
                    host: 127.0.0.1
                    port: 0
                    passwords:
                      - { token: \(Self.listed), password: right-password }
                      - { token: handshake-second-token, password: second-password }
                """)
        let port = try server.port(ofServer: "public")
        for number in 0..<40 {
            let wrong = ["Origin": Self.listed, "Authorization": Self.basic("\(Self.listed):\(number)")]
            #expect([401, 429].contains(try Self.knock(port, wrong).status))
        }
        let second = Self.basic("handshake-second-token:second-password")
        let right = ["Origin": "handshake-second-token", "Authorization": second]
        #expect(try Self.knock(port, right).status == 101)
        #expect(try Self.knock(port, ["Origin": "handshake-open-token"]).status == 101)
    }

    @Test func moreClientsThanAllowedAreRefusedUntilOneLeaves() throws {
        let server = try Self.server()
        let port = try server.port(ofServer: "public")
        let first = try TunnelPeer(port: port, token: "handshake-open-token")
        try server.waitForLog("Session joined")
        let answer = try Self.knock(port, [:])
        #expect(answer.status == 429)
        #expect(answer.text.contains("Too many clients"))
        first.connection.reset()
        try server.waitForLog("Session left")
        #expect(try Self.knock(port, [:]).status == 101)
    }

    /// Clients that shake hands at once are all within the limit when they knock.
    @Test func noMoreClientsThanAllowedServeHoweverTheyKnock() throws {
        let server = try Self.server()
        let port = try server.port(ofServer: "public")
        let peers = try (0..<5).map { _ in
            try TunnelPeer(port: port, token: "handshake-open-token", settings: nil)
        }
        for peer in peers { try? peer.send(Mux.settings()) }
        try server.waitForLog("Session joined")
        var isServing = 0
        for peer in peers {
            // Who serves answers; who does not is told to go.
            try? peer.connection.send(.ping([1]))
            while true {
                guard let message = try? peer.connection.receive() else { break }
                if case .pong = message {
                    isServing += 1
                    break
                }
                if case .close = message { break }
            }
        }
        #expect(isServing == 1)
    }
}
