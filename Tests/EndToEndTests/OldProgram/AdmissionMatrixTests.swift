import TestSupport
import Testing

/// Who is let in, whichever program stands at the ends.
@Suite(.timeLimit(.minutes(1))) struct AdmissionMatrixTests {
    /// Expects that the server does not take a client.
    private func expectRefusal(
        _ status: Int, _ tunnel: MixedTunnel, password: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        switch tunnel.ends.client {
        case .old:
            let refusal = #expect(throws: OldRefusal.self, sourceLocation: sourceLocation) {
                try tunnel.makeClient(password: password)
            }
            #expect(refusal?.response.status == status, sourceLocation: sourceLocation)
        case .ours:
            let client = try #require(try tunnel.makeClient(password: password).agent)
            let complaint = try client.waitForLog("Cannot connect", ["tunnel.name": "web"])
            let message = complaint["error.message"] ?? ""
            #expect(message.contains("\(status)"), "\(complaint.fields)", sourceLocation: sourceLocation)
            #expect(client.process.exit == nil, sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: Ends.all) func theRightPasswordOpensAndAWrongOneDoesNot(ends: Ends) throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try MixedTunnel(ends, to: origin) { $0.password = "s3cret:with-colon" }
        #expect(try tunnel.exchange("GET", "/").status == 200)
        try expectRefusal(401, tunnel, password: "wrong")
        #expect(try tunnel.exchange("GET", "/").status == 200)
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func withoutItsPasswordATokenDoesNotOpen(ends: Ends) throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try MixedTunnel(ends, to: origin, clients: 0) {
            $0.password = "s3cret"
            $0.queueTimeout = "100ms"
        }
        let port = tunnel.port
        switch ends.client {
        case .old:
            let refusal = #expect(throws: OldRefusal.self) {
                try MixedClient(.old, port: port, to: origin.port, token: MixedTunnel.token)
            }
            #expect(refusal?.response.status == 401)
        case .ours:
            let client = try MixedClient(.ours, port: port, to: origin.port, token: MixedTunnel.token)
            let complaint = try #require(client.agent).waitForLog("Cannot connect")
            #expect(complaint["error.message"]?.contains("401") == true, "\(complaint.fields)")
        }
        // Ours has just started, and waits for the tunnels that it knows by name.
        #expect(try tunnel.exchange("GET", "/").status == (ends.server == .ours ? 504 : 404))
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func oneClientMoreThanAllowedIsRefused(ends: Ends) throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try MixedTunnel(ends, to: origin, clients: 2) { $0.maxClients = 2 }
        try expectRefusal(429, tunnel)
        for _ in 0..<10 { #expect(try tunnel.exchange("GET", "/").status == 200) }
        #expect(tunnel.violations == [])
    }

    @Test(
        arguments: [
            "", "short", "fifteen-letters", nil,
        ] as [String?])
    func anOldClientNeedsAToken(token: String?) throws {
        let server = try AgentProcess(configuration: Configuration.server())
        let port = try server.port(ofServer: "public")
        let refusal = #expect(throws: OldRefusal.self) {
            try OldTunnelClient(port: port, .init(token: token)) { _, _ in }
        }
        #expect(refusal?.response.status == 400)
        if token == nil {
            #expect(refusal?.response.text == "Origin header with rendez-vous token required\n")
        }
    }

    @Test(arguments: [
        "Basic", "Basic !!!!", "Basic bm9jb2xvbg==", "Bearer bWl4ZWQ=", "",
    ])
    func anAuthorizationThatIsNoneIsRefused(authorization: String) throws {
        let server = try AgentProcess(
            configuration: Configuration.server([
                "passwords:", "  - token: \(MixedTunnel.token)", "    password: secret",
            ]))
        let port = try server.port(ofServer: "public")
        var options = OldTunnelClient.Options(token: MixedTunnel.token)
        options.authorization = authorization
        let refusal = #expect(throws: OldRefusal.self) {
            try OldTunnelClient(port: port, options) { _, _ in }
        }
        #expect(refusal?.response.status == 401)
        #expect(refusal?.response.head["WWW-Authenticate"] == #"Basic realm="wstunnel""#)
    }

    @Test(arguments: [false, true]) func theURLsUserinfoGoesWhereItBelongs(hasPassword: Bool) throws {
        let origin = try ScriptedOrigin.echo()
        var options = OldTunnelServer.Options()
        options.userinfo = "user:pass"
        options.basePath = "/base/path"
        if hasPassword { options.passwords = [MixedTunnel.token: "secret"] }
        let server = try OldTunnelServer(options)
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://user:pass@127.0.0.1:\(server.port)/base/path", to: origin.url,
                token: MixedTunnel.token,
                options: ["connections: 1"] + (hasPassword ? ["password: secret"] : [])))
        try server.waitForClients(1)
        let answer = try HTTPConnection(port: server.port)
            .exchange("GET", "/base/path/_token/\(MixedTunnel.token)/page")
        #expect(answer.head["X-Echo-Target"] == "/page")
        #expect(server.violations == [])
        #expect(!client.process.standardError.text.contains("user:pass"))
    }

    @Test func anOldServersRefusalIsTriedAgainAndSaidInItsWords() throws {
        var options = OldTunnelServer.Options()
        options.refusal = (400, "Rendez-vous token is not to our liking")
        let server = try OldTunnelServer(options)
        let client = try AgentProcess(
            configuration: Configuration.client(
                tunnel: "ws://127.0.0.1:\(server.port)", to: "http://127.0.0.1:1", token: MixedTunnel.token))
        try server.waitForRefusals(1)
        let complaint = try client.waitForLog("Cannot connect")
        #expect(complaint["error.message"]?.contains("400") == true, "\(complaint.fields)")
        #expect(complaint["error.message"]?.contains("not to our liking") == true, "\(complaint.fields)")
        #expect(server.violations == [])
    }
}
