import Foundation
import TestSupport
import Testing

/// Answers that server and client give themselves, to every method, in both versions of HTTP and through both protocols.
///
/// Serialized: these tests block their threads, so that beside each other they would use up each other's time.
@Suite(.serialized, .timeLimit(.minutes(2))) struct OwnAnswersTests {
    private static let shared = SharedWhileUsed<OwnAnswers>()

    struct Request: CustomTestStringConvertible, Sendable {
        let method: String
        let version: String

        var testDescription: String { "\(method) HTTP/\(version)" }
    }

    static let requests = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"].flatMap { method in
        ["1.0", "1.1"].map { Request(method: method, version: $0) }
    }

    @Test(arguments: requests) func anAnswerOfOurOwnReachesItsCaller(_ request: Request) throws {
        let world = try Self.shared.value { try OwnAnswers() }
        for answer in OwnAnswers.all {
            let fields = answer.fields.map { "\($0.0): \($0.1)\r\n" }.joined()
            let hasBody = request.method.hasPrefix("P")
            let caller = try HTTPConnection(port: world.port)
            try caller.send(
                "\(request.method) \(answer.target) HTTP/\(request.version)\r\nHost: a\r\n\(fields)"
                    + (hasBody ? "Content-Length: 3\r\n\r\na=b" : "\r\n"))
            let what = "\(answer.target) \(answer.fields)"
            do {
                let got = try caller.readResponse(toMethod: request.method)
                #expect(got.status == answer.status, "\(what)")
                #expect(got.head["Content-Type"] == "text/plain; charset=utf-8", "\(what)")
                #expect(got.head["Cache-Control"] == "no-store", "\(what)")
                #expect(got.head.values("Date").count == 1, "\(what)")
                #expect(got.text.hasSuffix("\n") == (request.method != "HEAD"), "\(what)")
                if got.head.has("Connection", "close") {
                    #expect(caller.waitForEnd() == .closed, "\(what)")
                } else {
                    #expect(try caller.exchange("GET", "/_health_check").status == 200, "\(what)")
                }
            } catch {
                Issue.record("\(what): \(error)")
            }
        }
    }

    /// The head tells how long the body of another answer would be, and nothing comes behind it (RFC 9110 §9.3.2).
    @Test func anAnswerToHEADHasTheLengthOfABodyAndNoBody() throws {
        let world = try Self.shared.value { try OwnAnswers() }
        for answer in OwnAnswers.all + OwnAnswers.ofOrigins {
            let fields = answer.fields.map { "\($0.0): \($0.1)\r\n" }.joined()
            let what = "\(answer.target) \(answer.fields)"
            var lengths: [String?] = []
            for method in ["HEAD", "GET"] {
                let caller = try HTTPConnection(port: world.port)
                try caller.send(
                    "\(method) \(answer.target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(fields)\r\n")
                let head = try caller.readHead()
                let body = try caller.socket.readToEnd()
                #expect(head.status == answer.status, "\(what)")
                #expect(body.isEmpty == (method == "HEAD"), "\(what)")
                lengths.append(head["Content-Length"])
                if method == "GET" { #expect(head["Content-Length"] == String(body.count), "\(what)") }
            }
            if !answer.namesMethod { #expect(lengths[0] == lengths[1], "\(what)") }
        }
    }
}

/// A server, and clients of both protocols before an origin that is away.
private final class OwnAnswers: Sendable {
    struct Answer: Sendable {
        var target = "/"
        var fields: [(String, String)] = []
        let status: Int
        /// Whether what it says depends on the method.
        var namesMethod = false
    }

    private static let new = "own-answers-new-0001"
    private static let old = "own-answers-old-0001"
    private static let away = "own-answers-away-001"
    private static let folder = "own-answers-folder-01"
    private static let echo = "own-answers-echo-0001"

    static let all =
        [new, old].flatMap { token in
            [
                // The origin refuses connections.
                Answer(fields: [("X-Token", token)], status: 502),
                Answer(target: "/_token/\(token)/x", status: 502),
                Answer(fields: [("X-Token", token), ("X-Host", "http://other.example")], status: 403),
            ]
        } + [
            Answer(status: 400), Answer(fields: [("X-Token", new), ("X-Token", old)], status: 400),
            Answer(target: "/_token/", status: 400), Answer(fields: [("A ", "b")], status: 400),
            Answer(fields: [("Transfer-Encoding", "gzip")], status: 400),
            Answer(fields: [("X-Token", "nobody-knows-this-token")], status: 404),
            Answer(fields: [("X-Token", away)], status: 504),
            Answer(target: "/_health_check", status: 200), Answer(target: "/_stats", status: 200),
        ]

    /// Those that other parts than the server and its clients give, or that callers seldom meet.
    static let ofOrigins = [
        Answer(target: "/_token/\(new)", status: 308),
        Answer(target: "/_tunnel", status: 400, namesMethod: true),
        Answer(target: "/%00", fields: [("X-Token", folder)], status: 400),
        Answer(target: "/nowhere", fields: [("X-Token", folder)], status: 404),
        Answer(
            fields: [("X-Token", echo), ("Connection", "Upgrade"), ("Upgrade", "other")], status: 426),
        Answer(
            fields: [("X-Token", folder), ("Connection", "Upgrade"), ("Upgrade", "websocket")], status: 501),
        Answer(fields: [("X-Token", echo)], status: 200, namesMethod: true),
    ]

    let port: Int
    private let agent: AgentProcess
    private let files: TemporaryFolder

    init() throws {
        let nobody = try freePort()
        let port = try freePort()
        self.port = port
        files = try TemporaryFolder()
        let tunnels = [
            (Self.new, "auto", "http://127.0.0.1:\(nobody)"), (Self.old, "v1", "http://127.0.0.1:\(nobody)"),
            (Self.folder, "v1", "file://\(files.path)"), (Self.echo, "auto", "builtin:echo"),
        ].map { token, protocolName, origin in
            """
              - { name: \(token), tunnel: "ws://127.0.0.1:\(port)", server: "\(origin)",
                  regexp: "http://127.*", token: "\(token)", protocol: \(protocolName), connections: 1 }
            """
        }
        agent = try AgentProcess(
            configuration: """
                servers:
                  - { name: public, host: 127.0.0.1, port: \(port), queue-timeout: 0s,
                      passwords: [{ token: "\(Self.away)", password: "of-no-account" }] }
                tunnels:
                \(tunnels.joined(separator: "\n"))
                """)
        try agent.waitForSessions(4)
    }
}
