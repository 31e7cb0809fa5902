import AgentStatus
import Logging
import TestSupport
import Testing
import TransportSecurity
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelClient

/// Changes that a tunnel client takes while it runs.
@Suite(.timeLimit(.minutes(1))) struct TunnelUpdateTests {
    @Test func anotherOriginServesTheNextRequestAndTheOldOneFinishesItsOwn() async throws {
        let gate = Gate()
        let old = try namedOrigin("old", gate)
        let new = try namedOrigin("new")
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration(origin: old.port))
            async let end = client.run()
            #expect(await client.untilUp() == .up)
            let slow = try await world.begin("/slow")
            #expect(try await world.get().text == "old")
            let session = client.snapshot.connections.map(\.id)

            client.apply(try client.prepareUpdate(try world.configuration(origin: new.port)))
            #expect(try await world.get().text == "new")
            // The connection that waited for another request.
            try await onThread { try old.waitForEnds(1) }
            gate.open()
            let rest = try await world.rest(of: slow, length: 10)
            #expect(rest == "firstlater")
            try await onThread { try old.waitForEnds(2) }
            #expect(old.connectionCount == 2)
            #expect(client.snapshot.connections.map(\.id) == session)
            #expect(session.count == 1)
            client.retire()
            client.close()
            #expect(await end == .stopped)
        }
    }

    @Test func aCallerMayNameAHostOnceTheExpressionAllowsIt() async throws {
        let origin = try namedOrigin("named")
        try await TunnelWorld.run { world in
            let client = try world.makeClient(try world.configuration())
            async let end = client.run()
            #expect(await client.untilUp() == .up)
            let ask: @Sendable () throws -> HTTPResponse = { [port = world.port] in
                try HTTPConnection(port: port).exchange(
                    "GET", "/", fields: [("X-Token", TunnelWorld.token), ("X-Host", origin.url)])
            }
            #expect(try await onThread { try ask().status } == 403)
            var configuration = try world.configuration()
            configuration.hostPattern = try HostPattern(source: "http://127.*")
            client.apply(try client.prepareUpdate(configuration))
            #expect(try await onThread { try ask().text } == "named")
            configuration.hostPattern = nil
            client.apply(try client.prepareUpdate(configuration))
            // The directory that named it is gone, and so are its connections.
            try await onThread { try origin.waitForEnds(1) }
            #expect(try await onThread { try ask().status } == 403)
            client.retire()
            client.close()
            #expect(await end == .stopped)
        }
    }

    @Test func aShorterTimeoutCountsForTheSessionThatIsUp() async throws {
        let pinged = WaitableCounter()
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.acceptWebSocket(request)
            // Short frames with a mask (RFC 6455 §5.2), of which pings are never answered.
            while true {
                let head = try connection.socket.read(2)
                _ = try connection.socket.read(4 + Int(head[1] & 0x7f))
                guard head[0] == 0x89 else { break }
                pinged.add(1)
            }
        }
        try await TunnelWorld.run { world in
            var configuration = try world.configuration(to: server.port)
            configuration.timeout = .seconds(600)
            let client = try world.makeClient(configuration)
            async let end = client.run()
            #expect(await client.untilUp() == .up)
            try await onThread { try pinged.wait(for: 1, within: .seconds(10), what: "the first ping") }
            configuration.timeout = .seconds(3)
            client.apply(try client.prepareUpdate(configuration))
            try await onThread {
                try pinged.wait(for: 2, within: .seconds(10), what: "a ping by the new timeout")
                try server.waitForEnds(1, within: .seconds(10))
            }
            client.retire()
            client.close()
            #expect(await end == .stopped)
            #expect(client.snapshot.lastFault?.code == "peer-silent")
        }
    }

    @Test func theNextDialTrustsCertificatesThatCameLater() async throws {
        let door = try TLSDoor()
        try await TunnelWorld.run { world in
            var configuration = try world.configuration(to: door.port, isSecure: true)
            let client = try world.makeClient(configuration)
            async let end = client.run()
            configuration.trust.certificates = CertificateFile(path: "/ca.pem", pem: door.pem)
            client.apply(try client.prepareUpdate(configuration))
            try await onThread { try door.asked.wait(for: 1, within: .seconds(20), what: "TLS") }
            client.retire()
            #expect(await end == .stopped)
        }
    }

    @Test func whatIsNoCertificateChangesNothing() async throws {
        try await TunnelWorld.run { world in
            var configuration = try world.configuration()
            let client = try world.makeClient(configuration)
            configuration.trust.certificates = CertificateFile(path: "/ca.pem", pem: Array("junk".utf8))
            let error = #expect(throws: TunnelClientError.self) { try client.prepareUpdate(configuration) }
            #expect(error?.description.hasPrefix("tunnels[web]: ") == true)
            #expect(error?.description.contains("/ca.pem") == true)
            #expect(client.setup.value.configuration.trust.certificates == nil)
            #expect(throws: TunnelClientError.self) { try world.makeClient(configuration) }
        }
    }

    /// A server that refuses is tried again after the longest wait only.
    @Test(arguments: ["certfile", "insecure", "reconnect-delay", "nothing"])
    func aLongWaitEndsWhenTryingAgainMakesSense(change: String) async throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.respond(403, text: "no")
            _ = connection.waitForEnd()
        }
        let pem = try TLSDoor().pem
        try await TunnelWorld.run { world in
            var configuration = try world.configuration(to: server.port)
            configuration.longestRetryDelay = .seconds(3600)
            let client = try world.makeClient(configuration)
            async let end = client.run()
            try await onThread { try server.waitForEnds(1) }
            switch change {
            case "certfile": configuration.trust.certificates = CertificateFile(path: "/ca.pem", pem: pem)
            case "insecure": configuration.trust.isInsecure = true
            case "reconnect-delay": configuration.longestRetryDelay = .seconds(3000)
            default: break
            }
            if change == "nothing" {
                client.retryNow()
            } else {
                client.apply(try client.prepareUpdate(configuration))
            }
            try await onThread { try server.waitForConnections(2) }
            client.retire()
            #expect(await end == .stopped)
            #expect(client.snapshot.lastFault?.code == "rejected")
            #expect(server.connectionCount == 2)
        }
    }

    @Test func fewerTriesCountFromNowOn() async throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.respond(403, text: "no, \(TunnelWorld.token)")
            _ = connection.waitForEnd()
        }
        try await TunnelWorld.run { world in
            var configuration = try world.configuration(to: server.port)
            configuration.longestRetryDelay = .seconds(3600)
            let client = try world.makeClient(configuration)
            async let end = client.run()
            try await onThread { try server.waitForEnds(1) }
            configuration.maxRetries = 1
            client.apply(try client.prepareUpdate(configuration))
            #expect(await end == .gaveUp)
            #expect(client.snapshot.state == .gaveUp)
            let fault = try #require(client.snapshot.lastFault)
            #expect(fault.message.contains("***") && !fault.message.contains(TunnelWorld.token))
        }
    }
}

@Suite struct TrustPoolTests {
    @Test func whatIsTrustedAlikeIsMadeOnceWhileSomebodyHasIt() throws {
        let pool = TrustPool()
        var first: ClientTLS? = try pool.tls(PeerTrust())
        #expect(try pool.tls(PeerTrust()) === first)
        #expect(try pool.tls(PeerTrust(isInsecure: true)) !== first)
        weak let old = first
        first = nil
        #expect(old == nil)
    }

    @Test func authoritiesAreMissedOnlyWhereTLSNeedsThem() throws {
        let pool = TrustPool { false }
        let tls = try pool.tls(PeerTrust())
        #expect(throws: TLSSetupError.noSystemRoots) { try tls.load(for: "a.test") }
        try pool.tls(PeerTrust(isInsecure: true)).load(for: "a.test")
        try pool.tls(PeerTrust(pins: ["a"])).load(for: "a.test")
    }

    @Test(arguments: [
        (false, false, true), (false, true, false), (true, false, false),
    ])
    func aTunnelWithoutTLSNeedsNoAuthorities(tunnel: Bool, origin: Bool, isGood: Bool) throws {
        let configuration = TunnelClientConfiguration(
            name: "web", tunnel: TunnelURL(isSecure: tunnel, host: "h", port: 1),
            origin: .web(OriginURL(isSecure: origin, host: "o", port: 1)),
            token: try RendezvousToken(TunnelWorld.token))
        let made = Result { () throws(TunnelClientError) in
            try ClientSetup(configuration, trusting: TrustPool { false }, logger: Logger(label: "test")) {
                _ in
            }
        }
        switch made {
        case .success: #expect(isGood)
        case .failure(let error):
            #expect(!isGood)
            #expect(error.description.contains("install ca-certificates"))
        }
    }
}
