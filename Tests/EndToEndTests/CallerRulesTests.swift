import Foundation
import TestSupport
import Testing

/// `callers`: who may call, as callers see it.
@Suite(.timeLimit(.minutes(2))) struct CallerRulesTests {
    private static func hash(_ password: String, _ method: String) throws -> String {
        let script = #"printf '%s\n' "$1" | "$2" hash --method "$3""#
        let program = try ChildProcess(["sh", "-c", script, "sh", password, wstunnelPath(), method])
        guard try program.waitForExit() == .code(0) else {
            throw TestFailure(program.standardError.text)
        }
        return program.standardOutput.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test(arguments: ["argon2id", "bcrypt", "sha512"]) func aUserLogsIn(_ method: String) throws {
        let hash = try Self.hash("open sesame ü", method)
        let world = try TunnelPair(
            to: "builtin:echo", serverOptions: ["callers: { users: ['alice:\(hash)'] }"])
        let nobody = try world.curl("/", "-D", "-")
        #expect(nobody.status == 401)
        #expect(nobody.text.contains("WWW-Authenticate: Basic realm=\"wstunnel\", charset=\"UTF-8\""))
        for _ in 0..<3 {
            let alice = try world.curl("/x", "-u", "alice:open sesame ü")
            #expect(alice.status == 200)
            #expect(!alice.text.lowercased().contains("authorization"), "the origin got it: \(alice.text)")
        }
        #expect(try world.curl("/", "-u", "alice:open sesame u").status == 401)
        #expect(try world.curl("/", "-u", "bob:open sesame ü").status == 401)
        // The body waits for the password.
        let body = String(repeating: "b", count: 100_000)
        let folder = try TemporaryFolder()
        let file = try folder.write(body, to: "body")
        let upload = try world.curl("/", "-u", "alice:open sesame ü", "--data-binary", "@\(file)")
        #expect(upload.text == body)
        #expect(!world.server.log.contains { $0.contains("sesame") })
    }

    @Test func aBearerIsOneOfTheList() throws {
        let world = try TunnelPair(
            to: "builtin:echo",
            serverOptions: ["callers: { bearer: [first-secret-of-tests, second-secret-of-tests] }"])
        #expect(try world.curl("/", "-H", "Authorization: Bearer second-secret-of-tests").status == 200)
        let wrong = try world.curl("/", "-D", "-", "-H", "Authorization: Bearer third-secret-of-tests")
        #expect(wrong.status == 401)
        #expect(wrong.text.contains("WWW-Authenticate: Bearer realm=\"wstunnel\", error=\"invalid_token\""))
        #expect(try world.curl("/").status == 401)
    }

    @Test func whoIsWrongTooOftenIsNotLookedAt() throws {
        let hash = try Self.hash("right", "sha512")
        let world = try TunnelPair(
            to: "builtin:echo",
            serverOptions: ["trusted-proxies: [127.0.0.1]", "callers: { users: ['alice:\(hash)'] }"])
        let statuses = try (0..<14).map {
            try world.curl("/", "-u", "alice:wrong\($0)", "-H", "X-Forwarded-For: 192.0.2.7").status
        }
        #expect(statuses.first == 401)
        #expect(statuses.last == 429)
        // Others are not in the way of it.
        #expect(try world.curl("/", "-u", "alice:right", "-H", "X-Forwarded-For: 192.0.2.8").status == 200)
        // One that was found right is right from everywhere for a while.
        #expect(try world.curl("/", "-u", "alice:right", "-H", "X-Forwarded-For: 192.0.2.7").status == 200)
    }

    @Test func manyRequestsOfOneUserTakeOneLook() throws {
        let hash = try Self.hash("right", "argon2id")
        let world = try TunnelPair(
            to: "builtin:echo", serverOptions: ["callers: { users: ['alice:\(hash)'] }"])
        let basic = "Basic " + Data("alice:right".utf8).base64EncodedString()
        let callers = try (0..<40).map { _ in try world.connect() }
        for caller in callers {
            try caller.send(
                "GET / HTTP/1.1\r\nHost: a\r\nX-Token: \(TunnelPair.token)\r\nAuthorization: \(basic)\r\n\r\n"
            )
        }
        for caller in callers { #expect(try caller.readResponse(toMethod: "GET").status == 200) }
    }

    @Test func aCertificateIsAskedForWhereTheRuleSaysSo() throws {
        let authority = try CertificateAuthority()
        let world = try SecureWorld(
            authority, try authority.issue("server", name: "server"),
            tls: ["client-ca: \(authority.path)", "tunnel-certificates: none"],
            options: [
                "passwords: [{ token: \(SecureWorld.token), callers: { client-name: 'phone-*' } }]"
            ])
        try world.connectClient()
        #expect(!world.server.log.contains { $0.contains("no effect") })
        let phone = try authority.issue("phone", name: "phone-7")
        let other = try authority.issue("other", name: "tablet")
        #expect(try world.curl("/", "--cert", phone.path, "--key", phone.keyPath).status == 200)
        let refused = try world.curl("/", "--cert", other.path, "--key", other.keyPath)
        #expect(refused.status == 403)
        #expect(refused.text.contains("The name in the client certificate may not call here"))
        #expect(try world.curl("/").status == 403)
        // Of others nobody asks for one.
        #expect(try world.curl("/_stats").status == 200)
    }

    @Test func aNameHasRulesOfItsOwn() throws {
        let world = try TunnelPair(
            to: "builtin:echo",
            serverOptions: [
                "callers: { bearer: [secret-of-the-server] }",
                "hosts:",
                "  - { host: open.test, token: \(TunnelPair.token), callers: { anonymous: true, methods: [GET] } }",
                "  - { host: closed.test, token: \(TunnelPair.token) }",
            ])
        func status(_ host: String, _ arguments: String...) throws -> Int {
            try curl(["-H", "Host: \(host)"] + arguments + [world.url + "/"]).status
        }
        #expect(try status("open.test") == 200)
        #expect(try status("OPEN.test:81") == 200)
        #expect(try status("open.test", "-X", "DELETE") == 405)
        #expect(try status("closed.test") == 401)
        #expect(try status("unknown.test") == 401)
        #expect(try status("closed.test", "-H", "Authorization: Bearer secret-of-the-server") == 200)
        #expect(try world.curl("/", "-H", "Host: open.test").status == 401)
    }

    @Test func addressesCountAsTrustedProxiesTellThem() throws {
        let world = try TunnelPair(
            to: "builtin:echo",
            serverOptions: [
                "trusted-proxies: [127.0.0.1]",
                "callers: { allow-from: [192.0.2.0/24, '2001:db8::/32'], deny-from: [192.0.2.66] }",
            ])
        func status(_ address: String) throws -> Int {
            try world.curl("/", "-H", "X-Forwarded-For: \(address)").status
        }
        #expect(try status("192.0.2.1") == 200)
        #expect(try status("2001:db8::5") == 200)
        #expect(try status("192.0.2.66") == 403)
        #expect(try status("198.51.100.1") == 403)
        #expect(try status("192.0.2.1, 198.51.100.1") == 403)
        #expect(try world.curl("/").status == 403)
        #expect(try world.curl("/_stats").status == 403)
        #expect(try world.curl("/_health_check").status == 200)
    }

    @Test func methodsAndBodiesAreHeldToTheRules() throws {
        let world = try TunnelPair(
            to: "builtin:echo", serverOptions: ["callers: { methods: [GET, POST], max-body: 10KiB }"])
        let deleted = try world.curl("/", "-D", "-", "-X", "DELETE")
        #expect(deleted.status == 405)
        #expect(deleted.text.contains("Allow: GET, HEAD, POST"))
        #expect(try world.curl("/", "-I").status == 200)
        let folder = try TemporaryFolder()
        let small = try folder.write(String(repeating: "s", count: 10 << 10), to: "small")
        let large = try folder.write(String(repeating: "l", count: (10 << 10) + 1), to: "large")
        #expect(try world.curl("/", "--data-binary", "@\(small)").status == 200)
        #expect(try world.curl("/", "--data-binary", "@\(large)").status == 413)
        #expect(
            try world.curl("/", "-H", "Transfer-Encoding: chunked", "--data-binary", "@\(small)").status
                == 200)
    }

    /// - Parameter hasAnswered: whether the origin's head has left before the body is too long.
    @Test(arguments: [false, true])
    func aBodyThatTurnsOutTooLongIsCutAtTheOrigin(hasAnswered: Bool) throws {
        let (begun, ended) = (Gate(), Gate())
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            if hasAnswered { try connection.writeHead(200, fields: [("Content-Length", "5")]) }
            begun.open()
            _ = connection.waitForEnd()
            ended.open()
        }
        let world = try TunnelPair(to: origin.url, serverOptions: ["callers: { max-body: 10KiB }"])
        let caller = try world.connect()
        try caller.send(
            "POST / HTTP/1.1\r\nHost: a\r\nX-Token: \(TunnelPair.token)\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "5\r\nhello\r\n")
        try begun.wait()
        if hasAnswered { #expect(try caller.readHead().status == 200) }
        try caller.send("2800\r\n" + String(repeating: "l", count: 0x2800) + "\r\n")
        if hasAnswered {
            #expect(throws: (any Error).self) { _ = try caller.socket.read(5) }
        } else {
            #expect(try caller.readResponse(toMethod: "POST").status == 413)
        }
        try ended.wait()
    }

    @Test func fieldsAreWrittenAndTakenAway() throws {
        let world = try TunnelPair(
            to: "builtin:echo",
            serverOptions: [
                "callers:",
                "  headers:",
                "    request:",
                "      set: { X-User-Address: '{client-address} by {scheme}', X-Host-Was: '{host}' }",
                "      add: { X-Tag: a }",
                "      remove: [X-Secret]",
                "    response:",
                "      set: { X-Frame-Options: DENY, Content-Type: text/x-mine }",
            ])
        let answer = try world.curl(
            "/", "-D", "-", "-H", "X-User-Address: forged", "-H", "X_User_Address: forged", "-H",
            "X-Secret: s", "-H", "X-Tag: b", "-H", "Connection: close, X-Host-Was", "-H", "Host: site.test")
        #expect(answer.text.contains("X-User-Address: 127.0.0.1 by http\n"))
        #expect(answer.text.contains("X-Host-Was: site.test\n"), "\(answer.text)")
        #expect(answer.text.contains("X-Tag: b\n"))
        #expect(answer.text.contains("X-Tag: a\n"))
        #expect(!answer.text.contains("forged"))
        #expect(!answer.text.contains("X-Secret"))
        #expect(answer.text.contains("X-Frame-Options: DENY\r\n"))
        #expect(answer.text.contains("Content-Type: text/x-mine\r\n"))
        #expect(!answer.text.contains("text/plain"))
    }

    @Test func aRequestIsFoundAgainByItsID() throws {
        let world = try TunnelPair(
            to: "builtin:echo",
            serverOptions: ["trusted-proxies: [192.0.2.0/24]", "callers: { request-id: true }"])
        let answer = try world.curl("/made", "-D", "-", "-H", "X-Request-Id: forged")
        let id = try #require(
            answer.text.firstMatch(of: /X-Request-Id: ([0-9a-f]{32})\r\n/)?.1, "\(answer.text)")
        #expect(answer.text.contains("X-Request-Id: \(id)\n"), "the origin has another: \(answer.text)")
        #expect(!answer.text.contains("forged"))
        let line = try world.server.waitForLog("Request", ["path": "/made"])
        #expect(line["x-request-id"] == String(id))
    }

    @Test func aTrustedProxyNamesTheRequest() throws {
        let world = try TunnelPair(
            to: "builtin:echo",
            serverOptions: ["trusted-proxies: [127.0.0.1]", "callers: { request-id: true }"])
        let kept = try world.curl("/", "-H", "X-Request-Id: proxy-12_3")
        #expect(kept.text.contains("X-Request-Id: proxy-12_3\n"))
        let odd = try world.curl("/", "-H", "X-Request-Id: not \"plain\"")
        #expect(odd.text.contains(/X-Request-Id: [0-9a-f]{32}\n/))
    }

    @Test func maintenanceStandsInForTheTunnel() throws {
        let folder = try TemporaryFolder()
        let page = try folder.write("<h1>Back soon</h1>", to: "page.html")
        let world = try TunnelPair(
            to: "builtin:echo",
            serverOptions: [
                "passwords:",
                "  - token: \(TunnelPair.token)",
                "    callers: { maintenance: { file: \(page), retry-after: 10m } }",
            ])
        let answer = try world.curl("/", "-D", "-")
        #expect(answer.status == 503)
        #expect(answer.text.contains("<h1>Back soon</h1>"))
        #expect(answer.text.contains("Retry-After: 600\r\n"))
        #expect(answer.text.contains("Content-Type: text/html; charset=utf-8\r\n"))
        let gRPC = try world.curl("/", "-D", "-", "-H", "Content-Type: application/grpc")
        #expect(gRPC.text.contains("grpc-status: 14\r\n"))
        #expect(!gRPC.text.contains("h1"))
    }

    @Test func rulesChangeWhileRequestsRun() throws {
        let port = try freePort()
        func text(_ callers: String) -> String {
            """
            servers:
              - name: public
                host: 127.0.0.1
                port: \(port)
                passwords:
                  - { token: \(TunnelPair.token), callers: \(callers) }
            tunnels:
              - { name: web, tunnel: "ws://127.0.0.1:\(port)", server: "builtin:echo", token: \(TunnelPair.token) }
            """
        }
        let world = try ReloadedAgent(text("{}"))
        try world.agent.waitForSession(ofTunnel: "web")
        func status(_ fields: String...) throws -> Int {
            try curl(
                ["-H", "X-Token: \(TunnelPair.token)"] + fields + ["http://127.0.0.1:\(port)/"]
            ).status
        }
        #expect(try status() == 200)
        let running = try HTTPConnection(port: port)
        try running.send(
            "POST / HTTP/1.1\r\nHost: a\r\nX-Token: \(TunnelPair.token)\r\nContent-Length: 8\r\n\r\nhalf")
        #expect(
            try world.applied(text("{ bearer: [secret-number-one] }")).contains { $0.contains("callers") })
        #expect(try status() == 401)
        #expect(try status("-H", "Authorization: Bearer secret-number-one") == 200)
        #expect(try world.apply(text("{ bearer: [secret-number-two] }")) == .applied)
        #expect(try status("-H", "Authorization: Bearer secret-number-one") == 401)
        #expect(try status("-H", "Authorization: Bearer secret-number-two") == 200)
        #expect(try world.apply(text("{ maintenance: true }")) == .applied)
        #expect(try status() == 503)
        try running.send("full")
        let answer = try running.readResponse(toMethod: "POST")
        #expect(answer.status == 200)
        #expect(answer.text == "halffull")
    }
}
