import NIOCore
import Testing

@testable import HTTPMessage

/// The two writers of a head into the tunnel: what goes the short way is as it would be the long way.
@Suite struct PlainHeadTests {
    private static let token = "token-of-the-tests-01"

    private static let values = [
        "", "a", "keep-alive", "Keep-Alive", "close", "keep-alive, Host", "TE", ",", "trailers", "h2c",
        "100-continue",
        "http://a/_token/other-token-of-them/x", "x-\(token)-y", "x%2Dtoken-of-the-tests-01",
        "%74oken-of-the-tests-01",
        "for=1;host=\(token)",
    ]
    private static let others = ["X-Own", "X_Forwarded_For", "C", "Sec-Fetch-Mode", "X-Forwarded-Ssl"]

    private struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    private static func request(_ random: inout Numbers) -> RequestHead {
        var fields = HeaderFields()
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let value = values.randomElement(using: &random) ?? ""
            // The first of all is any other.
            if Bool.random(using: &random) {
                let names = FieldName.allCases.dropFirst()
                fields.append(names.randomElement(using: &random) ?? .host, value)
            } else {
                fields.append(named: others.randomElement(using: &random) ?? "X", value)
            }
        }
        let target = ["/", "/x?y=\(token)", "/long/\(String(repeating: "z", count: 300))"]
        var head = RequestHead(
            method: "GET", target: target.randomElement(using: &random) ?? "/", fields: fields)
        if Int.random(in: 0..<4, using: &random) == 0 { head.version = .http10 }
        return head
    }

    @Test(arguments: [false, true], ["", "/base"]) func theShortWayIsTheLongOne(
        isHostListed: Bool, basePath: String
    ) {
        var random = Numbers(state: 7)
        var short = 0
        let forwarding = CallerForwarding(
            token: Self.token, isHostListed: isHostListed,
            publicPrefix: PublicPrefix(basePath: basePath, token: nil),
            caller: CallerForwarding.Caller(peer: "192.0.2.7"))
        for _ in 0..<20_000 {
            let request = Self.request(&random)
            // As the server asks: a request with a body offers nothing.
            for upgrade in [UpgradeOffer(), request.upgradeOffer] {
                guard let plain = forwarding.plainHead(of: request, upgrade) else { continue }
                short += 1
                let searched = forwarding.searchedHead(of: request, upgrade)
                #expect(String(buffer: plain) == String(buffer: searched))
                #expect(!String(buffer: plain).contains(Self.token))
            }
        }
        #expect(short > 2_000)
    }
}
