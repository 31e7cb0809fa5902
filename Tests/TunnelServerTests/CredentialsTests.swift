import HTTPMessage
import Routing
import TestSupport
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelServer

/// Who may open a tunnel, and how guessing is slowed down.
@Suite struct CredentialsTests {
    private static func token(_ text: String) throws -> RendezvousToken { try RendezvousToken(text) }

    private static let listed = "credentials-token-1"

    private static func outcome(_ fields: KeyValuePairs<FieldName, String>, method: String = "GET") throws
        -> String
    {
        let admission = TunnelAdmission(passwords: [try token(listed): [Secret("old"), Secret("new:er")]])
        var all = HeaderFields([
            .connection: "Upgrade", .upgrade: "websocket", .secWebSocketProtocol: "x, wstunnel.v2",
        ])
        for (name, value) in fields {
            all.remove(name)
            if !value.isEmpty { all.append(name, value) }
        }
        do throws(AdmissionError) {
            let head = RequestHead(method: method, target: "/_tunnel", fields: all)
            let claim = try TunnelAdmission.claim(of: head)
            try admission.check(claim, of: head)
            return claim.token.secret
        } catch {
            let refusal = Refusal(error)
            return "\(refusal.status) \(refusal.label)"
        }
    }

    @Test(arguments: ["old", "new:er"]) func anyOfATokensPasswordsIsGood(_ password: String) throws {
        let value = BasicAuthorization.encode(user: Self.listed, password: password)
        #expect(try Self.outcome([.origin: Self.listed, .authorization: value]) == Self.listed)
    }

    @Test(arguments: [
        BasicAuthorization.encode(user: listed, password: "ol"),
        BasicAuthorization.encode(user: listed, password: ""),
        BasicAuthorization.encode(user: listed, password: "older"),
        BasicAuthorization.encode(user: "x", password: "old"),
        BasicAuthorization.encode(user: "", password: "old"), "Basic", "Basic ", "Basic %", "Digest x", "",
        "Basic b2xk",
    ])
    func everythingElseIsUnauthorized(_ value: String) throws {
        #expect(try Self.outcome([.origin: Self.listed, .authorization: value]) == "401 unauthorized")
    }

    /// `Authorization` may be for a proxy before the server.
    @Test func aPasswordMayStandAside() throws {
        let (good, bad) = (
            BasicAuthorization.encode(user: Self.listed, password: "old"),
            BasicAuthorization.encode(user: Self.listed, password: "wrong")
        )
        let other = BasicAuthorization.encode(user: "user", password: "of the proxy")
        func outcome(_ first: String, _ second: String) throws -> String {
            try Self.outcome([.origin: Self.listed, .authorization: first, .xTunnelAuthorization: second])
        }
        #expect(try outcome(other, good) == Self.listed)
        #expect(try outcome("", good) == Self.listed)
        #expect(try outcome("Bearer x", good) == Self.listed)
        #expect(try outcome(good, other) == Self.listed)
        // What names the token in the first field is what counts.
        #expect(try outcome(bad, good) == "401 unauthorized")
        #expect(try outcome(other, bad) == "401 unauthorized")
        #expect(try outcome(other, other) == "401 unauthorized")
    }

    @Test func aTokenWithoutPasswordIsOpenToWhoeverKnowsIt() throws {
        #expect(try Self.outcome([.origin: "credentials-token-2"]) == "credentials-token-2")
        #expect(
            try Self.outcome([.origin: "credentials-token-2", .authorization: "nonsense"])
                == "credentials-token-2")
    }

    @Test func onlyListedTokensMayComeWhereThatIsAsked() throws {
        let admission = TunnelAdmission(
            passwords: [try Self.token(Self.listed): [Secret("good")]], onlyListedTokens: true)
        let authorization = BasicAuthorization.encode(user: Self.listed, password: "good")
        let listed = TunnelCredentials(try Self.token(Self.listed), authorization: authorization)
        #expect(admission.admits(listed))
        let other = try Self.token("credentials-token-2")
        #expect(!admission.admits(TunnelCredentials(other, authorization: nil)))
        let password = BasicAuthorization.encode(user: other.secret, password: "good")
        #expect(!admission.admits(TunnelCredentials(other, authorization: password)))
    }

    @Test func handshakesThatAreNoneAreRefused() throws {
        #expect(try Self.outcome([.origin: ""]) == "400 bad-handshake")
        #expect(try Self.outcome([.origin: "short"]) == "400 bad-handshake")
        #expect(try Self.outcome([.origin: "credentials-token-2"], method: "POST") == "400 bad-handshake")
        #expect(try Self.outcome([.origin: "credentials-token-2", .upgrade: "h2c"]) == "400 bad-handshake")
    }

    /// Beyond the bound on wrong passwords: one that can be found by trying is not looked at any more.
    @Test(arguments: [
        (["right"], false), (["0123456789abcdef0123456789abcde"], false),
        (["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], false), (["0123456789abcdef0123456789abcdef"], true),
        (["0123456789abcdef0123456789abcdef", "old"], false),
        (["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"], true),
    ])
    func beyondTheBoundOnlyPasswordsThatNobodyGuessesAreLookedAt(
        _ passwords: [String], _ isLookedAt: Bool
    ) throws {
        let token = try Self.token(Self.listed)
        let admission = TunnelAdmission(passwords: [token: Set(passwords.map { Secret($0) })])
        func label(_ password: String) -> String {
            let head = RequestHead(
                method: "GET", target: "/_tunnel",
                fields: HeaderFields([
                    .origin: Self.listed, .upgrade: "websocket",
                    .authorization: BasicAuthorization.encode(user: Self.listed, password: password),
                ]))
            do throws(AdmissionError) {
                try admission.check(try TunnelAdmission.claim(of: head), of: head, isHeldOff: true)
                return "admitted"
            } catch {
                return Refusal(error).label
            }
        }
        #expect(label(passwords[0]) == (isLookedAt ? "admitted" : "throttled"))
        #expect(label("wrong") == "throttled")
    }

    // MARK: Parts

    @Test func basicAuthorizationComesBackAsItWent() {
        var random = SplitMix64(seed: 7)
        for length in 0..<40 {
            let user = String((0..<length).compactMap { _ in "abcäöü€😀 +/=".randomElement(using: &random) })
            let password = String(decoding: random.bytes(length), as: UTF8.self)
            let decoded = BasicAuthorization.decode(BasicAuthorization.encode(user: user, password: password))
            #expect(decoded?.user == user && decoded?.password == password, "seed \(random.seed)")
        }
        #expect(
            BasicAuthorization.encode(user: "Aladdin", password: "open sesame")
                == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        #expect(BasicAuthorization.decode("bAsIc  QTo=")?.user == "A")
    }

    @Test(arguments: [
        "", "Basic", "Basic ", "Bearer QTpC", "Basic QTpC=", "Basic QTp", "Basic QQ==", "Basic QT=C",
        "Basic Q===",
        "Basic ====", "Basic QTp\u{e9}", "Basic /zo=", "Basic QTpC QTpC", "QTpC",
    ])
    func whatIsNoBasicAuthorizationIsNone(_ value: String) {
        #expect(BasicAuthorization.decode(value) == nil)
    }

    @Test func secretsAreEqualOnlyByteForByte() {
        let texts = ["", "a", "b", "ab", "aa", "aaa", "é", "e\u{301}", "0123456789", "0123456780"]
        for (index, left) in texts.enumerated() {
            for (other, right) in texts.enumerated() {
                #expect(ConstantTime.areEqual(left, right) == (index == other), "\(left) \(right)")
            }
        }
    }
}
