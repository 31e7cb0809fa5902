import HTTPMessage
import NIOCore
import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

/// Rules and requests: who is let in.
@Suite struct AccessPolicyTests {
    /// - Parameter rules: the widest first.
    private static func policy(_ rules: [CallerRules]) -> AccessPolicy {
        rules.reduce(AccessPolicy(CallerRules())) { AccessPolicy($1, within: $0) }
    }

    private static func refusal(
        _ rules: [CallerRules], _ method: String = "GET", from address: String = "192.0.2.1",
        certificate: Set<String>? = nil, framing: BodyFraming = .none
    ) -> AccessRefusal? {
        let policy = policy(rules)
        let head = RequestHead(method: method, target: "/", fields: HeaderFields())
        do throws(AccessRefusal) {
            try policy.check(
                head,
                AccessPolicy.Facts(
                    address: address, certificateNames: certificate))
            try policy.checkBody(framing)
            return nil
        } catch {
            return error
        }
    }

    private static func range(_ text: String) -> [AddressRange] { [text].compactMap { AddressRange($0) } }

    @Test func addressesMustPassEveryRule() {
        let server = CallerRules(allowed: Self.range("192.0.2.0/24"))
        let token = CallerRules(allowed: Self.range("0.0.0.0/0"), denied: Self.range("192.0.2.9"))
        #expect(Self.refusal([server, token]) == nil)
        #expect(Self.refusal([server, token], from: "192.0.2.9") == .addressNotAllowed)
        #expect(Self.refusal([server, token], from: "198.51.100.1") == .addressNotAllowed)
        #expect(Self.refusal([token], from: "198.51.100.1") == nil)
        #expect(Self.refusal([server], from: "unknown") == .addressNotAllowed)
    }

    @Test func denyingWins() {
        let rules = CallerRules(allowed: Self.range("192.0.2.1"), denied: Self.range("192.0.2.1"))
        #expect(Self.refusal([rules]) == .addressNotAllowed)
    }

    @Test func ofEverythingElseTheNarrowestRuleCounts() throws {
        let server = CallerRules(methods: ["GET"], maximumBody: 10)
        let token = CallerRules(methods: ["POST"])
        let refused = try #require(Self.refusal([server], "POST"))
        guard case .methodNotAllowed(let methods) = refused else {
            Issue.record("\(refused)")
            return
        }
        #expect(methods.text == "GET, HEAD")
        #expect(Self.refusal([server], "HEAD") == nil)
        #expect(Self.refusal([server, token], "POST") == nil)
        #expect(Self.refusal([server, token], "GET") != nil)
        #expect(Self.refusal([server, token], "POST", framing: .length(11)) == .bodyTooLarge(limit: 10))
        #expect(Self.refusal([server, token], "POST", framing: .length(10)) == nil)
        #expect(
            Self.refusal(
                [server, CallerRules(methods: ["POST"], maximumBody: 11)], "POST", framing: .length(11))
                == nil)
    }

    @Test func aCertificateIsAskedForByName() {
        let any = CallerRules(certificate: .required(names: []))
        let named = CallerRules(certificate: .required(names: [NameGlob("phone-*")]))
        #expect(Self.refusal([any]) == .certificateMissing)
        #expect(Self.refusal([any], certificate: ["x"]) == nil)
        #expect(Self.refusal([any, named], certificate: ["x"]) == .certificateNotAllowed)
        #expect(Self.refusal([any, named], certificate: ["x", "phone-7"]) == nil)
        #expect(Self.refusal([named, CallerRules(certificate: CallerRules.CertificateRule.none)]) == nil)
    }

    @Test func maintenanceComesBehindTheAddress() {
        let answer = MaintenanceAnswer(status: 503)
        let rules = CallerRules(denied: Self.range("192.0.2.9"), maintenance: .on(answer))
        #expect(Self.refusal([rules]) == .maintenance(answer))
        #expect(Self.refusal([rules], from: "192.0.2.9") == .addressNotAllowed)
        #expect(Self.refusal([rules, CallerRules(maintenance: .off)]) == nil)
    }

    // MARK: Logins

    private static let hash = PasswordHash("$2y$04$abcdefghijklmnopqrstuugZw0e/b5r1sdG/3LSl4QiQiC2VrNNoC")

    private static func claim(_ list: LoginList, _ authorization: String?...) -> LoginList.Claim {
        var fields = HeaderFields()
        for value in authorization.compactMap(\.self) { fields.append(.authorization, value) }
        return list.claim(in: fields)
    }

    @Test func whatACallerBringsIsRead() throws {
        let hash = try #require(Self.hash)
        let list = LoginList(users: ["alice": hash], bearers: [Secret("secret-of-the-tests")])
        guard case .none(let demand) = Self.claim(list, nil) else {
            Issue.record("something comes of nothing")
            return
        }
        #expect(demand.takesUsers && demand.takesBearers && !demand.wasWrong)
        guard case .bearer = Self.claim(list, "bearer secret-of-the-tests") else {
            Issue.record("the secret is not taken")
            return
        }
        guard case .wrongBearer = Self.claim(list, "Bearer secret-of-the-testz") else {
            Issue.record("a wrong secret is taken")
            return
        }
        for strange in ["", "Bearer", "Digest x", "Basic ???", "Basic YWxpY2U="] {
            guard case .none(let demand) = Self.claim(list, strange) else {
                Issue.record("\(strange)")
                continue
            }
            #expect(demand.wasWrong, "\(strange)")
        }
        guard
            case .none = Self.claim(list, "Bearer secret-of-the-tests", "Bearer secret-of-the-tests")
        else {
            Issue.record("two fields are taken")
            return
        }
    }

    @Test func anUnknownUserIsLookedAtLikeAKnownOne() throws {
        let hash = try #require(Self.hash)
        let list = LoginList(users: ["alice": hash], bearers: [])
        for (user, isKnown) in [("alice", true), ("bob", false)] {
            let value = BasicAuthorization.encode(user: user, password: "p")
            guard case .password(let claim) = Self.claim(list, value) else {
                Issue.record("\(user)")
                continue
            }
            #expect(claim.hash == hash)
            #expect(claim.isKnown == isKnown)
        }
        let long = BasicAuthorization.encode(
            user: "alice", password: String(repeating: "p", count: 257))
        guard case .none = Self.claim(list, long) else {
            Issue.record("a password of any length is looked at")
            return
        }
    }

    @Test func anonymousRulesTakeTheLoginAway() throws {
        let hash = try #require(Self.hash)
        let server = CallerRules(login: .listed(users: ["alice": hash], bearers: []))
        #expect(Self.policy([server]).logins != nil)
        #expect(Self.policy([server, CallerRules(login: .anonymous)]).logins == nil)
    }
}
