import AdminAPI
import AgentStatus
import Foundation
import Synchronization
import TestSupport
import Testing

/// What an agent is told to do, over HTTP and by its client.
@Suite(.timeLimit(.minutes(1))) struct AdminActionTests {
    /// Method, target, body; the status and a part of the answer.
    @Test(
        arguments: [
            ("POST", "/api/tunnels/web/pause", nil, 200, #""isPaused":true"#),
            ("POST", "/api/servers/web/pause", nil, 200, #""kind":"server""#),
            ("POST", "/api/tunnels/w%65b/resume", nil, 200, #""hasChanged":false"#),
            ("POST", "/api/tunnels/other/pause", nil, 404, "there is none"),
            ("GET", "/api/tunnels/web/pause", nil, 405, "use POST"),
            ("POST", "/api/tunnels//pause", nil, 404, "nothing at this path"),
            ("POST", "/api/sessions/7/drain", nil, 200, #""isCut":false"#),
            ("POST", "/api/sessions/7/disconnect", nil, 200, #""isCut":true"#),
            ("POST", "/api/sessions/8/drain", nil, 404, "there is none"),
            ("POST", "/api/sessions/-7/drain", nil, 400, "a whole number"),
            ("POST", "/api/sessions/99999999999999999999/drain", nil, 400, "a whole number"),
            ("GET", "/api/tokens/blocked", nil, 200, #""tokenTag":"abcdef""#),
            (
                "POST", "/api/tokens/block", #"{"token":"0123456789abcdef","for":"10m"}"#, 200,
                #""secondsLeft":600"#
            ),
            (
                "POST", "/api/tokens/block", #"{"tokenHint":"01234567...","tokenTag":"aa"}"#, 200,
                #""tokenTag":"aa""#
            ),
            ("POST", "/api/tokens/block", "{}", 404, "there is none"),
            ("POST", "/api/tokens/block", #"{"token":"0123456789abcdef","for":"-1s"}"#, 400, "is no time"),
            ("POST", "/api/tokens/block", #"{"token":"0123456789abcdef","for":"0s"}"#, 400, "is no time"),
            (
                "POST", "/api/tokens/block", #"{"token":"0123456789abcdef","for":"999999h"}"#, 400,
                "is no time"
            ),
            ("POST", "/api/tokens/block", #"{"token":7}"#, 400, "the body is"),
            ("POST", "/api/tokens/unblock", #"{"all":true}"#, 200, #"{"unblocked":3}"#),
            ("GET", "/api/rollback", nil, 200, #""etag":"back""#),
            ("POST", "/api/rollback", nil, 200, #""generation":4"#),
            ("GET", "/api/log-level", nil, 200, #""configured":"info""#),
            ("PUT", "/api/log-level", #"{"level":"debug","for":"10m"}"#, 200, #""until":600"#),
            ("POST", "/api/log-level", #"{"level":"debug"}"#, 200, #""level":"debug""#),
            ("POST", "/api/log-level", #"{"level":"loud"}"#, 400, "LEVEL one of trace, debug"),
            ("GET", "/api/succession", nil, 404, "nothing at this path"),
        ] as [(String, String, String?, Int, String)])
    func isAskedOverHTTP(
        method: String, target: String, body: String?, status: Int, text: String
    ) async throws {
        let world = try await AdminWorld()
        let answer = try await world.run { world in
            try world.ask(method, target, body: body.map { Array($0.utf8) })
        }
        #expect(answer.status == status && answer.text.contains(text), "\(answer.status) \(answer.text)")
    }

    /// If-Match, and what comes of it (RFC 9110 §13.1.1).
    @Test(arguments: [
        ("/api/reload", #""now""#, 200), ("/api/reload", #""then", "now""#, 200), ("/api/reload", "*", 200),
        ("/api/reload", #""then""#, 412), ("/api/reload", #"W/"now""#, 412), ("/api/reload", "now", 412),
        ("/api/reload", "", 412), ("/api/rollback", #""back""#, 200), ("/api/rollback", #""now""#, 412),
    ])
    func aPlanIsCarriedOutOnlyAsItWasLookedAt(target: String, tags: String, status: Int) async throws {
        let world = try await AdminWorld()
        let (answer, reloads) = try await world.run { world in
            let answer = try world.ask("POST", target, fields: [("If-Match", tags)])
            return (answer, world.agent.reloads.value)
        }
        #expect(answer.status == status)
        #expect(reloads == (status == 200 ? 1 : 0))
    }

    @Test func aPlanHasAnEntityTag() async throws {
        let world = try await AdminWorld()
        let answer = try await world.run { try $0.ask("GET", "/api/rollback") }
        #expect(answer.head.has("ETag", #""back""#))
    }

    @Test func itsClientAsksTheSame() async throws {
        let world = try await AdminWorld()
        try await world.run { world in
            let client = AdminClient(socketPath: world.path)
            #expect(try client.set(.tunnel, "web", isPaused: true).isPaused)
            #expect(try !client.set(.server, "web", isPaused: false).hasChanged)
            #expect(throws: AdminClientError.self) { try client.set(.server, "we/b", isPaused: true) }
            #expect(try client.end(session: 7, isCut: true).server == "public")
            #expect(try client.blockedTokens().count == 1)
            #expect(
                try client.block(TokenBlockQuery(token: "0123456789abcdef", duration: "1m")).secondsLeft == 60
            )
            #expect(try client.unblock(TokenBlockQuery(all: true)) == 3)
            #expect(try client.reload(ifPlanned: "now").outcome == .applied)
            #expect(throws: AdminClientError.self) { try client.reload(ifPlanned: "then") }
            #expect(try client.rollbackPlan().etag == "back")
            #expect(try client.rollback(ifPlanned: nil).outcome == .applied)
            #expect(try client.logLevel().level == "info")
            #expect(try client.setLogLevel(LogLevelQuery(level: "trace", duration: "5s")).until == 5)
            #expect(try client.succession().salt == "ab")
            _ = try world.ask("POST", "/api/tunnels/web/pause")
            let askers = world.agent.askers.withLock { $0 }
            #expect(askers.count == 2)
            #expect(askers.first == "user \(getuid())")
            #expect(askers.last == "administer from 127.0.0.1")
        }
    }
}
