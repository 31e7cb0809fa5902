import Foundation
import TestSupport
import Testing

/// Answers that come before the end of their request: a connection that goes on after one, or says that it does not.
@Suite(.serialized, .timeLimit(.minutes(1))) struct EarlyAnswerTests {
    private static let shared = SharedWhileUsed<HastyOrigin>()

    private static func begin(
        _ world: HastyOrigin, _ fields: String
    ) throws -> (caller: HTTPConnection, answer: HTTPResponse) {
        let caller = try HTTPConnection(port: world.agent.port)
        try caller.send("POST /early HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n\(fields)\r\n")
        let answer = try caller.readResponse(toMethod: "POST")
        #expect(answer.status == 413)
        #expect(answer.text == "too much")
        return (caller, answer)
    }

    private static let smuggled =
        "GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n\r\n"

    /// What is left of a short request is dropped, whatever it looks like, and the next one is served.
    @Test func aShortRestIsTakenAndTheConnectionGoesOn() throws {
        let world = try Self.shared.value { try HastyOrigin() }
        let (caller, answer) = try Self.begin(world, "Content-Length: \(Self.smuggled.utf8.count * 2)\r\n")
        #expect(answer.head["Connection"] == nil)
        try caller.send(Self.smuggled)
        let next = "GET /next HTTP/1.1\r\nHost: a\r\nX-Token: \(BesiegedAgent.token)\r\n\r\n"
        try caller.send(Self.smuggled + next)
        let second = try caller.readResponse()
        #expect(second.status == 200)
        #expect(second.text == "/next")
        caller.close()
        #expect(world.agent.process.exit == nil)
    }

    @Test(arguments: [
        "Content-Length: 10000000\r\n", "Transfer-Encoding: chunked\r\n",
        // Whether the body comes, only the caller knows.
        "Content-Length: 10\r\nExpect: 100-continue\r\n",
    ])
    func aRestThatIsNotTakenClosesTheConnectionAndSaysSo(_ fields: String) throws {
        let world = try Self.shared.value { try HastyOrigin() }
        let (caller, answer) = try Self.begin(world, fields)
        #expect(answer.head.has("Connection", "close"))
        // The caller may still send: it must not lose the answer for that.
        for _ in 0..<10 { try? caller.send([UInt8](repeating: 1, count: 10_000)) }
        #expect(caller.waitForEnd() == .closed)
        #expect(world.agent.process.exit == nil)
    }

    /// As curl does it: the answer is whole, whatever was still to be sent.
    @Test(arguments: ["-T", "-d"]) func curlHasTheAnswerToAnUploadThatWasRefused(_ kind: String) throws {
        let world = try Self.shared.value { try HastyOrigin() }
        let folder = try TemporaryFolder()
        let path = try folder.write(String(repeating: "x", count: 20_000_000), to: "body")
        let result = try curl(
            "-H", "X-Token: \(BesiegedAgent.token)", "-H", "Expect:", kind, kind == "-d" ? "@\(path)" : path,
            "http://127.0.0.1:\(world.agent.port)/early")
        #expect(result.status == 413, "\(result.exitCode): \(result.standardError)")
        #expect(result.text == "too much")
    }
}

/// An agent before an origin that answers requests for `/early` before it reads their bodies.
private final class HastyOrigin: Sendable {
    let agent: BesiegedAgent
    private let origin: ScriptedOrigin

    init() throws {
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                guard request.target == "/early" else {
                    try connection.respond(text: request.target)
                    continue
                }
                try connection.respond(413, text: "too much")
                // Without reading the body, and without a reset that could overtake the answer.
                connection.socket.finishWriting()
                _ = connection.waitForEnd(within: .seconds(10))
                return
            }
        }
        self.origin = origin
        agent = try BesiegedAgent(origin: origin.url)
    }
}
