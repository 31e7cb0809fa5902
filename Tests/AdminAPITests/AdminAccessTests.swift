import Foundation
import HTTPMessage
import TestSupport
import Testing
import TransportSecurity
import TunnelConfiguration
import X509

@testable import AdminAPI

/// Whom an admin listener lets ask, and by which names.
@Suite struct AdminAccessTests {
    private static let tokens: [AdminRole: String] = [
        .look: "look-token-0123456789", .operate: "operate-token-0123456789",
        .administer: "administer-token-0123456789",
    ]
    private static let access = AdminAccess(
        AdminConfiguration(
            host: "ops-host", port: 9400, token: Secret(tokens[.administer] ?? ""),
            operateToken: Secret(tokens[.operate] ?? ""), lookToken: Secret(tokens[.look] ?? ""),
            names: ["ops.example.com", "*.admin.example.com"]),
        tls: nil)

    private func entry(
        host: String? = "localhost", _ fields: [(String, String)] = [],
        token: String? = tokens[.look], _ access: AdminAccess = access
    ) -> AdminEntry {
        var head = RequestHead(method: "GET", target: "/api/status")
        if let host { head.fields.append(.host, host) }
        if let token { head.fields.append(.authorization, "Bearer \(token)") }
        for (name, value) in fields { head.fields.append(named: name, value) }
        return access.entry(of: head, by: AdminConnection(tls: nil), now: 0)
    }

    @Test(arguments: AdminRole.allCases) func aTokenIsOfOneRole(role: AdminRole) {
        guard case .admitted(role) = entry(token: Self.tokens[role]) else {
            Issue.record("not admitted")
            return
        }
    }

    @Test(arguments: [nil, "", "look-token-012345678", "look-token-01234567890", "operate"])
    func whoBringsNoneIsAStranger(token: String?) {
        guard case .stranger(let answer) = entry(token: token) else {
            Issue.record("admitted")
            return
        }
        #expect(answer.status == 401)
    }

    /// A page of another site reaches this machine by a name of its own (DNS rebinding), which its browser says in Host.
    @Test(
        arguments: [
            ("localhost", true), ("LOCALHOST:9400", true), ("localhost.:9400", true),
            ("127.0.0.1:9400", true),
            ("192.0.2.7", true), ("[::1]:9400", true), ("[2001:db8::1]", true), ("ops-host:9400", true),
            ("ops.example.com", true), ("Ops.Example.com:1", true), ("a.admin.example.com", true),
            (nil, true),
            ("evil.test", false), ("localhost.evil.test", false), ("a.b.admin.example.com", false),
            ("admin.example.com", false), (".admin.example.com", false), ("127.0.0.1.evil.test", false),
            ("xops.example.com", false), ("0x7f.1", false), ("", false),
        ] as [(String?, Bool)])
    func onlyOwnNamesAreAnswered(host: String?, isOwn: Bool) {
        switch entry(host: host) {
        case .admitted: #expect(isOwn)
        case .refused(let answer):
            #expect(!isOwn && answer.status == 421)
            #expect(answer.text.contains("admin.hosts"))
        case .stranger: Issue.record("a stranger")
        }
    }

    @Test(arguments: [
        ("Origin", "http://localhost:9400", true), ("Origin", "https://LOCALHOST:9400", true),
        ("Origin", "http://localhost:9401", false), ("Origin", "http://evil.test", false),
        ("Origin", "null", false), ("Origin", "", false), ("Sec-Fetch-Site", "same-origin", true),
        ("Sec-Fetch-Site", "none", true), ("Sec-Fetch-Site", "cross-site", false),
        ("Sec-Fetch-Site", "same-site", false),
    ])
    func pagesOfOtherSitesAreRefused(field: String, value: String, isOwn: Bool) {
        switch entry(host: "localhost:9400", [(field, value)]) {
        case .admitted: #expect(isOwn)
        case .refused(let answer): #expect(!isOwn && answer.status == 403)
        case .stranger: Issue.record("a stranger")
        }
    }

    @Test func theControlSocketAsksForNothing() {
        for (host, field) in [("evil.test", "Origin"), ("wstunnel", "Sec-Fetch-Site")] {
            guard case .admitted(.administer) = entry(host: host, [(field, "x")], token: nil, .localUser)
            else {
                Issue.record("refused")
                continue
            }
        }
    }

    // MARK: Certificates

    private struct Certified {
        let authority: CertificateAuthority
        let tls: ServerTLS
        let connection: AdminConnection

        /// - Parameter shown: the common name of what is shown.
        init(shown name: String?) throws {
            authority = try CertificateAuthority()
            let own = try authority.issue("own", name: "own", alternatives: "DNS:Own.Example.com")
            tls = try Self.tls(own, authority.path)
            var certificate: PeerCertificate?
            if let name {
                let issued = try authority.issue("client", name: name, alternatives: "DNS:\(name).test")
                let blocks = try PEM.blocks(in: bytes(issued.path))
                certificate = PeerCertificate(try X509Certificate(der: try #require(blocks.first).bytes))
            }
            connection = AdminConnection(tls: tls, certificate: certificate)
        }

        static func tls(_ own: CertificateAuthority.Issued, _ authority: String) throws -> ServerTLS {
            let pair = KeyPair(
                chain: CertificateFile(path: own.path, pem: try bytes(own.path)), keyPath: own.keyPath,
                key: Secret(String(decoding: try bytes(own.keyPath), as: UTF8.self)))
            return try ServerTLS(
                ListenerTLS(
                    certificates: [ServedCertificate(hosts: ["own.example.com"], keyPair: pair)],
                    clientAuthority: CertificateFile(path: authority, pem: try bytes(authority)),
                    callers: .required),
                protocols: ["h2"])
        }

        func access(_ names: Set<NameGlob> = []) -> AdminAccess {
            AdminAccess(
                AdminConfiguration(
                    host: "127.0.0.1", port: 1, token: Secret("a-token-of-the-tests"), clientNames: names),
                tls: tls)
        }
    }

    private func status(_ world: Certified, _ access: AdminAccess, now: Int = 0) -> Int {
        var head = RequestHead(method: "GET", target: "/api/status")
        head.fields.append(.host, "own.example.com")
        head.fields.append(.authorization, "Bearer a-token-of-the-tests")
        switch access.entry(of: head, by: world.connection, now: now) {
        case .admitted: return 200
        case .stranger(let answer), .refused(let answer): return answer.status
        }
    }

    @Test func aCertificateIsAskedForBesideTheToken() throws {
        let bare = try Certified(shown: nil)
        #expect(status(bare, bare.access()) == 403)
        let shown = try Certified(shown: "ops-1")
        #expect(status(shown, shown.access()) == 200)
        #expect(status(shown, shown.access([NameGlob("ops-*")])) == 200)
        #expect(status(shown, shown.access([NameGlob("web-*"), NameGlob("ops-1.test")])) == 200)
        #expect(status(shown, shown.access([NameGlob("web-*")])) == 403)
        // Its time is over, or another authority counts by now.
        #expect(status(shown, shown.access(), now: .max) == 403)
        #expect(status(shown, bare.access()) == 403)
    }

    @Test func aConnectionOfBeforeThereWasTLSIsToComeAnew() throws {
        let world = try Certified(shown: nil)
        guard case .refused(let answer) = entry(world.access()) else {
            Issue.record("not refused")
            return
        }
        #expect(answer.status == 421)
    }

    private func entry(_ access: AdminAccess) -> AdminEntry {
        entry(host: "localhost", [], token: nil, access)
    }
}

private func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }
