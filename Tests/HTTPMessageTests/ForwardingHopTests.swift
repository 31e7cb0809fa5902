import HTTPMessage
import Testing

/// What a message loses and gains at each hop: direction, end of the tunnel, field.
@Suite struct ForwardingHopTests {
    /// Fields of one hop (RFC 9110 §7.6.1), with one that `Connection` names.
    private static let ofOneHop = [
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE",
        "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "X-Named",
    ]
    private static let others = [
        "Accept", "Authorization", "CF-Connecting-IP", "Content-Length", "Cookie", "Date", "Expect",
        "Forwarded", "Host", "Proxy", "True-Client-IP", "X-Forwarded-For", "X-Forwarded-Host",
        "X-Forwarded-Port", "X-Forwarded-Proto", "X-Host", "X-Real-IP", "X-Token", "X-Tunnel-Authorization",
        "X-Tunnel-Host", "X-Tunnel-Public", "Via",
    ]

    /// Beyond the fields of one hop.
    private static func losses(at hop: Forwarding.Hop) -> Set<String> {
        switch hop {
        case .requestIntoTunnel: ["Proxy", "X-Token", "X-Tunnel-Host", "X-Tunnel-Public"]
        case .requestOutOfTunnel: ["X-Host", "X-Token", "X-Tunnel-Host", "X-Tunnel-Public"]
        case .requestToOrigin: ["Host"]
        case .requestIntoMessage: ["X-Tunnel-Host", "X-Tunnel-Public"]
        case .answerIntoTunnel, .answerToCaller, .requestOutOfMessage, .answerIntoMessage: []
        case .trailers:
            [
                "Authorization", "CF-Connecting-IP", "Content-Length", "Forwarded", "Host", "Proxy",
                "True-Client-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port",
                "X-Forwarded-Proto",
                "X-Host", "X-Real-IP", "X-Token", "X-Tunnel-Authorization", "X-Tunnel-Host",
                "X-Tunnel-Public",
                "Via",
            ]
        }
    }

    private static func fields(upgrade: String = "old") -> HeaderFields {
        var fields = HeaderFields()
        for name in (ofOneHop + others).sorted() {
            let value =
                name == "Connection" ? "keep-alive, Upgrade, x-named" : name == "Upgrade" ? upgrade : "1"
            fields.append(named: name, value)
        }
        return fields
    }

    private static func names(_ fields: HeaderFields) -> [String] { fields.pairs.map(\.0) }

    @Test(arguments: Forwarding.Hop.allCases)
    func nothingElseIsLostAndTheOrderStays(_ hop: Forwarding.Hop) {
        var fields = Self.fields()
        Forwarding.rewrite(&fields, at: hop)
        let ofOneHop = hop == .requestOutOfTunnel ? [] : Set(Self.ofOneHop)
        let expected = Self.names(Self.fields()).filter { name in
            !ofOneHop.contains(name) && !Self.losses(at: hop).contains(name)
        }
        #expect(Self.names(fields) == expected)
    }

    @Test(arguments: [Forwarding.Hop.requestIntoTunnel, .requestToOrigin])
    func aRequestGoesOnAskingForWhatMayPass(_ hop: Forwarding.Hop) {
        let head = RequestHead(
            method: "GET", target: "/", fields: Self.fields(upgrade: "h2c, websocket, a/1"))
        var fields = head.fields
        Forwarding.rewrite(&fields, at: hop, upgrade: head.upgradeOffer)
        #expect(Self.names(fields).suffix(2) == ["Connection", "Upgrade"])
        #expect(fields.values(.connection) == ["Upgrade"] && fields.values(.upgrade) == ["websocket, a/1"])
    }

    @Test func anOriginHearsThatTrailersAreTakenAndNoMore() {
        for (te, kept) in [("trailers", ["trailers"]), ("gzip, Trailers", ["trailers"]), ("gzip", [])] {
            var fields = HeaderFields([.te: te, .host: "a"])
            Forwarding.rewrite(&fields, at: .requestToOrigin)
            #expect(fields.values(.te) == kept)
            #expect(fields.values(.connection) == kept.map { _ in "TE" })
        }
    }

    @Test(arguments: [
        (Forwarding.Hop.answerIntoTunnel, 101, ["a/1"]), (.answerToCaller, 101, ["a/1"]),
        (.answerIntoMessage, 101, []), (.answerIntoTunnel, 426, []), (.answerToCaller, 426, []),
        (.answerToCaller, 103, []), (.answerIntoTunnel, 200, []),
    ])
    func anAnswerNamesTheProtocolThatItSwitchesTo(_ hop: Forwarding.Hop, _ status: Int, _ upgrade: [String]) {
        var answer = ResponseHead(status: status, fields: Self.fields(upgrade: "a/1"))
        Forwarding.rewrite(&answer, at: hop)
        #expect(answer.fields.values(.upgrade) == upgrade)
        #expect(answer.fields.values(.connection) == upgrade.map { _ in "Upgrade" })
    }

    @Test(arguments: [
        (Forwarding.Hop.answerToCaller, 100, false), (.answerToCaller, 101, false),
        (.answerToCaller, 204, false), (.answerToCaller, 200, true), (.answerToCaller, 304, true),
        (.answerIntoTunnel, 204, true), (.answerIntoMessage, 204, true),
    ])
    func aCallerLearnsNoLengthOfABodyThatCannotBe(_ hop: Forwarding.Hop, _ status: Int, _ isKept: Bool) {
        var answer = ResponseHead(status: status, fields: Self.fields())
        Forwarding.rewrite(&answer, at: hop)
        #expect(answer.fields.contains(.contentLength) == isKept)
    }
}
