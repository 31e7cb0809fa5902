import AgentStatus
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import TunnelConfiguration

@testable import AdminAPI

/// Who may ask what, over real sockets.
@Suite(.timeLimit(.minutes(1))) struct AdminRolesTests {
    private static let tokens: [AdminRole: String] = [
        .look: "look-token-0123456789", .operate: "operate-token-0123456789",
        .administer: "administer-token-0123456789",
    ]
    private static let access = AdminAccess(
        AdminConfiguration(
            host: "127.0.0.1", port: 0, token: Secret(tokens[.administer] ?? ""),
            operateToken: Secret(tokens[.operate] ?? ""), lookToken: Secret(tokens[.look] ?? ""),
            names: ["caller.test"]),
        tls: nil)

    private func bearer(_ role: AdminRole) -> String { "Bearer \(Self.tokens[role] ?? "")" }

    @Test func eachRoleMayDoWhatThoseBeforeItMay() async throws {
        try await AdminWorld(access: Self.access).run { world in
            for (method, target, least) in [
                ("GET", "/api/status", AdminRole.look), ("POST", "/api/reload", .operate),
                ("GET", "/api/config", .administer), ("GET", "/api/diag", .administer),
            ] {
                for role in AdminRole.allCases {
                    let answer = try world.ask(method, target, authorization: bearer(role))
                    #expect(answer.status == (role < least ? 403 : 200), "\(target) \(role)")
                    guard role < least else { continue }
                    #expect(answer.text.contains("may \(role.rawValue)") && answer.text.contains("\(least)"))
                }
            }
            #expect(world.agent.reloads.value == 2)
        }
    }

    @Test func whatEverybodyMaySeeAsksForNoToken() async throws {
        try await AdminWorld(.init(faults: ["no tunnel is up"]), access: Self.access).run { world in
            for authorization in [nil, "Bearer nonsense", bearer(.look)] {
                let alive = try world.ask("GET", "/healthz", authorization: authorization)
                #expect(alive.status == 200 && alive.text == #"{"status":"alive"}"#)
                let ready = try world.ask("GET", "/readyz", authorization: authorization)
                #expect(ready.status == 503)
                #expect(ready.text == #"{"isReady":false,"reasons":["no tunnel is up"]}"#)
            }
            #expect(try world.ask("POST", "/healthz", authorization: nil).status == 405)
            // What there is else a stranger does not learn.
            for target in ["/api/config", "/nowhere", "/%zz", "/healthz/"] {
                #expect(try world.ask("GET", target, authorization: nil).status == 401)
            }
            world.agent.answers.withLock { $0.faults = [] }
            #expect(try world.ask("GET", "/readyz", authorization: nil).status == 200)
        }
    }

    @Test func answersAreForNoPage() async throws {
        try await AdminWorld(access: Self.access).run { world in
            for target in ["/healthz", "/api/status", "/nowhere"] {
                let head = try world.ask("GET", target, authorization: bearer(.look)).head
                #expect(head["X-Content-Type-Options"] == "nosniff")
                #expect(head["Content-Security-Policy"]?.contains("default-src 'none'") == true)
                #expect(!head.fields.contains { $0.name.lowercased().hasPrefix("access-control") })
                #expect(head["Set-Cookie"] == nil)
            }
        }
    }

    @Test func otherNamesAndSitesAreRefusedWithWords() async throws {
        try await AdminWorld(access: Self.access).run { world in
            for target in ["/healthz", "/api/status"] {
                let connection = try HTTPConnection(port: world.port)
                try connection.send("GET \(target) HTTP/1.1\r\nHost: evil.test\r\n\r\n")
                let answer = try connection.readResponse()
                #expect(answer.status == 421 && answer.text.contains("admin.hosts"))
                #expect(connection.waitForEnd() != .timedOut)
            }
            let answer = try HTTPConnection(port: world.port).exchange(
                "GET", "/api/status",
                fields: [("Authorization", bearer(.look)), ("Sec-Fetch-Site", "cross-site")])
            #expect(answer.status == 403 && answer.text.contains("other sites"))
        }
    }

    /// A stranger's body is not kept: it comes and is dropped, whatever it claims to be.
    @Test func aStrangersBodyIsDropped() async throws {
        try await AdminWorld(access: Self.access).run { world in
            let body = [UInt8](repeating: 7, count: AdminExchange.mostBodyBytes + 100_000)
            let answer = try world.ask("POST", "/api/reload", authorization: nil, body: body)
            #expect(answer.status == 401)
        }
    }

    @Test func otherTermsHoldFromTheNextRequestOn() async throws {
        try await AdminWorld(access: Self.access).run { world in
            let follower = try HTTPConnection(port: world.port)
            try follower.send("GET", "/api/events", fields: [("Authorization", bearer(.look))])
            #expect(try follower.readHead().status == 200)
            let new = "another-token-0123456789"
            world.remote.update(.token(Secret(new), names: ["caller.test"]))
            // It was let in by a token that is none any more.
            #expect(follower.waitForEnd() != .timedOut)
            #expect(try world.ask("GET", "/api/status", authorization: bearer(.look)).status == 401)
            #expect(try world.ask("GET", "/api/config", authorization: "Bearer \(new)").status == 200)
        }
    }

    @Test func noMoreFollowOrAskThanMay() {
        let gate = AdminGate(Self.access, logger: Logger(label: "test"))
        #expect((0..<AdminGate.mostStreams).allSatisfy { _ in gate.beginStream() })
        #expect(!gate.beginStream())
        gate.endStream()
        #expect(gate.beginStream() && !gate.beginStream())
        #expect((0..<AdminGate.mostRequests).allSatisfy { _ in gate.beginRequest() })
        #expect(!gate.beginRequest())
    }
}
