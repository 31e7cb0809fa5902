import Testing

@testable import HTTPMessage

/// Which protocols a request may leave HTTP for.
struct UpgradeOfferTests {
    struct Example: CustomTestStringConvertible, Sendable {
        var connection = "Upgrade"
        var version = HTTPVersion.http11
        let upgrade: [String]
        let offered: [String]
        var testDescription: String { "\(connection) \(version) \(upgrade)" }
    }

    @Test(arguments: [
        Example(upgrade: ["websocket"], offered: ["websocket"]),
        Example(upgrade: ["WebSocket"], offered: ["WebSocket"]),
        Example(connection: "keep-alive, upgrade", upgrade: ["a/1,b"], offered: ["a/1", "b"]),
        Example(upgrade: ["a", "b, c"], offered: ["a", "b", "c"]),
        Example(connection: "Upgrade, HTTP2-Settings", upgrade: ["h2c"], offered: []),
        Example(upgrade: ["h2c, websocket"], offered: ["websocket"]),
        Example(upgrade: ["websocket", "H2C"], offered: ["websocket"]),
        Example(upgrade: ["TLS/1.0"], offered: []),
        Example(upgrade: ["TLS/1.2, HTTP/1.1"], offered: []),
        Example(upgrade: ["HTTP/2.0, SHTTP/1.3, IRC/6.9"], offered: ["SHTTP/1.3", "IRC/6.9"]),
        Example(upgrade: ["h2,h3, tls ,http"], offered: []),
        Example(upgrade: ["h2cx"], offered: ["h2cx"]),
        Example(upgrade: ["", " , "], offered: []),
        Example(upgrade: [], offered: []),
        Example(connection: "keep-alive", upgrade: ["websocket"], offered: []),
        Example(connection: "", upgrade: ["websocket"], offered: []),
        Example(version: .http10, upgrade: ["websocket"], offered: []),
    ])
    func whatKeepsHTTPGoingIsNotOffered(example: Example) {
        var fields = HeaderFields([.connection: example.connection])
        for value in example.upgrade { fields.append(.upgrade, value) }
        let head = RequestHead(method: "GET", target: "/", version: example.version, fields: fields)
        #expect(head.upgradeOffer.protocols == example.offered)
    }

    @Test(arguments: [
        (["websocket"], true), (["WEBSOCKET"], true), (["other/1"], true), (["websocket, other/1"], true),
        (["websocket", "other/1"], true), ([], false), ([""], false), (["h2c"], false),
        (["websocket, h2c"], false), (["websocket", "h2c"], false), (["other"], false), (["other/2"], false),
    ])
    func anAnswerNamesNothingElse(upgrade: [String], isAllowed: Bool) {
        let head = RequestHead(
            method: "GET", target: "/",
            fields: HeaderFields([.connection: "upgrade", .upgrade: "websocket, h2c, Other/1"]))
        var answer = HeaderFields([.connection: "Upgrade"])
        for value in upgrade { answer.append(.upgrade, value) }
        #expect(head.upgradeOffer.allows(answer) == isAllowed)
        #expect(!UpgradeOffer().allows(answer))
    }

    @Test func theSettingsOfHTTP2BelongToOneHop() {
        var fields = HeaderFields([
            .connection: "Upgrade, HTTP2-Settings", .http2Settings: "AAMAAABk", .date: "x",
        ])
        fields.append(named: "http2-settings", "AAMAAABk")
        fields.removeHopByHop()
        #expect(fields == HeaderFields([.date: "x"]))
    }
}
