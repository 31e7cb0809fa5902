import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import Routing

/// Which server a URL means.
@Suite struct ServerChoiceTests {
    struct Example: CustomTestStringConvertible, Sendable {
        var isSecure = false
        let host: String
        let port: Int
        /// The server's name, why, and who would do as well; nil where none fits.
        let expected: String?

        var testDescription: String { "\(isSecure ? "https" : "http")://\(host):\(port)" }
    }

    private static func candidates() throws -> [ServerChoice.Candidate] {
        let token = try RendezvousToken("choice-test-token-1")
        let listed = { (host: PublicName.Host) in
            ServerConfiguration.Routes(hosts: [PublicName(host: host): token])
        }
        var front = ServerConfiguration(name: "front", host: "127.0.0.1", port: 9000)
        front.routes = listed(.anyLabel(before: "example.com"))
        front.routes.publicURL = PublicURL(isSecure: true, host: "tunnel.example.com", port: 443)
        var claims = ServerConfiguration(name: "claims", host: "127.0.0.1", port: 9001)
        claims.routes.claims = HostClaimRules(domain: "t.test")
        claims.routes.publicURL = PublicURL(isSecure: false, port: 8000)
        var secure = ServerConfiguration(name: "secure", host: "0.0.0.0", port: 8443)
        secure.tls = ListenerTLS(certificates: [])
        var exact = ServerConfiguration(name: "exact", host: "127.0.0.1", port: 8080)
        exact.routes = listed(.exact("shop.example.com"))
        let any = ServerConfiguration(name: "any", host: "0.0.0.0", port: 8080)
        let elsewhere = ServerConfiguration(name: "elsewhere", host: "192.0.2.1", port: 8081)
        return [front, claims, secure, any, exact, elsewhere].map { ServerChoice.Candidate($0) }
            + [ServerChoice.Candidate(ServerConfiguration(name: "zero", host: "::", port: 0), port: 4711)]
    }

    static let examples: [Example] = [
        Example(isSecure: true, host: "tunnel.example.com", port: 443, expected: "front publicURL []"),
        Example(isSecure: true, host: "a.example.com", port: 443, expected: "front publicURL []"),
        Example(isSecure: true, host: "other.com", port: 443, expected: nil),
        Example(isSecure: true, host: "shop.example.com", port: 443, expected: "front publicURL []"),
        Example(host: "shop.example.com", port: 80, expected: "exact mayBeInFront []"),
        Example(host: "shop.example.com", port: 81, expected: nil),
        Example(host: "a.t.test", port: 8000, expected: "claims publicURL []"),
        Example(host: "127.0.0.1", port: 9000, expected: "front listens []"),
        Example(isSecure: true, host: "x", port: 8443, expected: "secure listens []"),
        Example(host: "x", port: 8443, expected: "secure otherScheme []"),
        Example(host: "shop.example.com", port: 8080, expected: "exact listens [\"any\"]"),
        Example(host: "192.0.2.9", port: 8080, expected: "any listens []"),
        Example(host: "localhost", port: 8080, expected: "any listens [\"exact\"]"),
        Example(host: "127.0.0.1", port: 8081, expected: nil),
        Example(host: "::1", port: 4711, expected: "zero listens []"),
        Example(host: "x", port: 80, expected: nil),
    ]

    @Test(arguments: examples) func theOneThatFitsBestIsMeant(_ example: Example) throws {
        let candidates = try Self.candidates()
        let choice = ServerChoice(
            isSecure: example.isSecure, host: example.host, port: example.port, among: candidates)
        #expect(choice.map { "\(candidates[$0.index].name) \($0.reason) \($0.others)" } == example.expected)
    }

    @Test func aNameIsOnesOwn() throws {
        let candidates = try Self.candidates()
        #expect(ServerChoice(named: "exact", among: candidates)?.index == 4)
        #expect(ServerChoice(named: "none", among: candidates) == nil)
    }
}
