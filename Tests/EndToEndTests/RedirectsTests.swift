import TestSupport
import Testing

/// A program that speaks of itself by its own URL, as Gitea and many others do, seen through a tunnel.
@Suite struct RedirectsTests {
    private static let token = TunnelPair.token

    /// Who logs in gets a cookie and is sent on by an absolute URL; only from a page of its own, and only with the cookie is it
    /// well.
    private static func program(prefix: String = "", domain: Bool = false) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                _ = try connection.readBody(of: request)
                let front = "http://\(request["Host"] ?? "none")"
                let name = (request["Host"] ?? "").prefix { $0 != ":" }
                let cookie = "id=1; Path=\(prefix)/" + (domain ? "; Domain=\(name)" : "")
                switch request.target {
                case prefix + "/login" where request.method == "POST":
                    let isOwn = request["Origin"] == front && request["Referer"] == front + prefix + "/form"
                    try connection.respond(
                        isOwn ? 303 : 403,
                        fields: isOwn
                            ? [
                                ("Location", front + prefix + "/home?a=1"), ("Set-Cookie", cookie),
                                ("Content-Location", prefix + "/login"), ("Refresh", "9; url=\(front)/"),
                            ] : [], text: "\(request)")
                case prefix + "/home?a=1":
                    try connection.respond(302, fields: [("Location", prefix + "/end")], text: "")
                case prefix + "/end":
                    try connection.respond(
                        request.has("Cookie", "id=1") ? 200 : 401, text: "\(request)")
                case prefix + "/elsewhere":
                    try connection.respond(302, fields: [("Location", "http://127.0.0.1:1/x")], text: "")
                default: try connection.respond(404, text: "\(request)")
                }
            }
        }
    }

    /// Posts the form of a page as a browser does, follows, and keeps cookies.
    private static func logIn(_ front: String, _ path: String, _ more: [String] = []) throws -> CurlResult {
        let folder = try TemporaryFolder()
        let jar = folder.path(of: "cookies")
        return try curl(
            [
                "-L", "-b", jar, "-c", jar, "-H", "Origin: \(front)", "-e", "\(front)\(path)/form",
                "--data", "a=b",
            ] + more + ["\(front)\(path)/login"])
    }

    enum Way: Sendable, CaseIterable {
        /// By a name that the server lists, with nothing set.
        case name
        /// The same with TLS at the server.
        case nameOverTLS
        /// The same to a program that is told its own name.
        case nameWithOwnHost
        /// By the token in the path.
        case path
        /// The same, below paths of server and origin.
        case paths
        /// The same, escaped where it need not be.
        case escaped
    }

    @Test(.timeLimit(.minutes(1)), arguments: Way.allCases) func itWorksAsWithoutATunnel(_ way: Way) throws {
        let prefix = way == .paths ? "/app" : ""
        let origin = try Self.program(prefix: prefix, domain: way == .nameWithOwnHost || way == .path)
        let certificate = try Certificate(for: "DNS:app.test")
        var (serverOptions, clientOptions) = (
            ["hosts: [{ host: app.test, token: \(Self.token) }]"], [String]()
        )
        var scheme = "http"
        switch way {
        case .name: break
        case .nameOverTLS:
            serverOptions.append("tls: { certfile: \(certificate.path), keyfile: \(certificate.keyPath) }")
            scheme = "https"
        case .nameWithOwnHost: clientOptions = ["host-header: origin"]
        case .path, .paths, .escaped: clientOptions = ["redirects: rewrite"]
        }
        let base = way == .paths ? "/w" : ""
        let server = try AgentProcess(
            configuration: Configuration.server(serverOptions + (base.isEmpty ? [] : ["base-path: \(base)"])))
        let port = try server.port(ofServer: "public")
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "\(scheme == "https" ? "wss" : "ws")://127.0.0.1:\(port)\(base)",
                to: origin.url + prefix,
                options: clientOptions + ["connections: 1"] + (scheme == "https" ? ["insecure: true"] : [])))
        try server.waitForSessions(1)
        let path =
            switch way {
            case .name, .nameOverTLS, .nameWithOwnHost: ""
            case .path, .paths: "\(base)/_token/\(Self.token)"
            case .escaped: "/_token/%65nd%2dto" + Self.token.dropFirst(6)
            }
        let front = "\(scheme)://app.test:\(port)"
        let answer = try Self.logIn(
            front, path, ["--resolve", "app.test:\(port):127.0.0.1", "--cacert", certificate.path])
        #expect(answer.status == 200, "\(answer.text) \(answer.standardError)")
        #expect(answer.values["num_redirects"] == "2")
        #expect(answer.values["url_effective"] == "\(front)\(path)/end")
        #expect(!answer.text.contains(Self.token))
        withExtendedLifetime(client) {}
    }

    /// A proxy in front may have put the token into the path, and its callers do not know it.
    @Test(.timeLimit(.minutes(1))) func nobodyLearnsATokenByDefault() throws {
        let origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                _ = try connection.readBody(of: request)
                try connection.respond(
                    302, fields: [("Location", "/login"), ("Set-Cookie", "a=b; Path=/")], text: "")
            }
        }
        let tunnel = try TunnelPair(to: origin.url, connections: 1)
        let answer = try curl("-i", "\(tunnel.url)/_token/\(Self.token)/x")
        #expect(answer.status == 302)
        #expect(answer.text.contains("Location: /login\r\n"))
        #expect(answer.text.contains("Path=/\r\n"))
        #expect(!answer.text.contains(Self.token))
    }

    @Test(.timeLimit(.minutes(1))) func whoDidNotWriteTheTokenIntoThePathNeverSeesIt() throws {
        let origin = try Self.program()
        let tunnel = try TunnelPair(
            to: origin.url, clientOptions: ["redirects: rewrite"], connections: 1, basePath: "/w")
        // Of what callers write about it themselves nothing is believed.
        let caller = try tunnel.connect()
        for more in [[], [("X-Tunnel-Public", "token /forged")]] {
            let answer = try caller.exchange(
                "POST", "/w/login",
                fields: [
                    ("X-Token", Self.token), ("Origin", "http://caller.test"),
                    ("Referer", "http://caller.test/w/form"),
                ] + more, body: [])
            #expect(answer.head["Location"] == "http://caller.test/w/home?a=1")
            #expect(answer.head["Content-Location"] == "/w/login")
            #expect(answer.head["Refresh"] == "9; url=http://caller.test/w/")
            #expect(answer.head["Set-Cookie"] == "id=1; Path=/w/")
        }
        let elsewhere = try caller.exchange("GET", "/w/elsewhere", fields: [("X-Token", Self.token)])
        #expect(elsewhere.head["Location"] == "http://127.0.0.1:1/x")
    }

    @Test(.timeLimit(.minutes(1))) func pagesOfOtherSitesStayThose() throws {
        let origin = try Self.program()
        let tunnel = try TunnelPair(to: origin.url, clientOptions: ["redirects: rewrite"], connections: 1)
        let caller = try tunnel.connect()
        for site in ["http://evil.test", "https://caller.test", "null", "http://caller.test:81"] {
            let answer = try caller.exchange(
                "POST", "/login",
                fields: [("X-Token", Self.token), ("Origin", site), ("Referer", site + "/form")], body: [])
            #expect(answer.status == 403)
            #expect(answer.text.contains("Origin: \(site)\n"))
        }
    }

    @Test(.timeLimit(.minutes(1))) func anAnswerIsChangedAsTheRunningConfigurationSays() throws {
        let origin = try Self.program()
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let text = { (redirects: String) in
            Configuration.client(
                tunnel: "ws://127.0.0.1:\(port)", to: origin.url,
                options: ["connections: 1", "redirects: \(redirects)"])
        }
        let client = try ReloadedAgent(text("keep"))
        try server.waitForSessions(1)
        let location = {
            let answer = try curl("-i", "http://127.0.0.1:\(port)/_token/\(Self.token)/home?a=1")
            return answer.text.split(separator: "\r\n").first { $0.hasPrefix("Location: ") }
        }
        #expect(try location() == "Location: /end")
        try client.apply(text("rewrite"))
        #expect(try location() == "Location: /_token/\(Self.token)/end")
        try client.apply(text("keep"))
        #expect(try location() == "Location: /end")
    }

    /// It does not say what stood in the path.
    @Test(.timeLimit(.minutes(1))) func behindAnOldServerTheHostIsWhatTheCallerWrote() throws {
        let origin = try Self.program()
        let server = try OldTunnelServer()
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(server.port)", to: origin.url, options: ["redirects: rewrite"]))
        try server.waitForClients(1)
        let caller = try HTTPConnection(port: server.port)
        let answer = try caller.exchange(
            "POST", "/login",
            fields: [
                ("X-Token", Self.token), ("Origin", "http://caller.test"),
                ("Referer", "http://caller.test/form"), ("X-Tunnel-Public", "token /forged"),
            ], body: [])
        #expect(answer.head["Location"] == "http://caller.test/home?a=1")
        #expect(answer.head["Set-Cookie"] == "id=1; Path=/")
        #expect(server.violations.isEmpty)
        withExtendedLifetime(client) {}
    }
}
