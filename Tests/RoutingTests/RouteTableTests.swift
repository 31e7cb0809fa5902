import HTTPMessage
import NIOCore
import Routing
import Testing
import TunnelConfiguration
import TunnelProtocol

/// What a configuration says of the ways to tunnels, and what a route makes of a request.
@Suite struct RouteTableTests {
    private static let listed = "route-table-token-1"

    private static func table() throws -> RouteTable {
        RouteTable(
            basePath: "/w", hosts: [PublicName(host: .exact("listed.example")): try RendezvousToken(listed)],
            trustedProxies: [AddressRange("10.0.0.0/8")].compactMap(\.self))
    }

    @Test(arguments: [
        ("/w/x", "listed.example", true), ("/w/x", "other.example", false), ("/x", "listed.example", false),
    ])
    func requestsGoByBasePathAndHost(_ target: String, _ host: String, _ isForwarded: Bool) throws {
        let head = RequestHead(method: "GET", target: target, fields: HeaderFields([.host: host]))
        guard case .forward(let route) = try Self.table().route(head) else {
            #expect(!isForwarded)
            return
        }
        #expect(isForwarded && route.token.secret == Self.listed && route.target == "/x")
        #expect(route.policy == RoutePolicy(namedBy: .host, basePath: "/w", name: 0))
    }

    @Test func whatAHostLeadsToIsListed() throws {
        #expect(try Self.table().leads(to: RendezvousToken(Self.listed)))
        #expect(try !Self.table().leads(to: RendezvousToken("route-table-token-2")))
    }

    /// Base path, trust and the way in which the tunnel was named come from the route.
    @Test(arguments: [("10.0.0.1", "203.0.113.7, 10.0.0.1"), ("192.0.2.1", "192.0.2.1")])
    func aRouteSaysWhatCrossesTheTunnel(_ peer: String, _ forwardedFor: String) throws {
        let table = try Self.table()
        let head = RequestHead(
            method: "GET", target: "/w/x",
            fields: HeaderFields([
                .host: "listed.example", .xForwardedFor: "203.0.113.7",
                .destination: "http://listed.example/w/to",
            ]))
        guard case .forward(let route) = table.route(head) else {
            Issue.record("goes nowhere")
            return
        }
        let caller = table.caller(at: peer, head.fields)
        let forwarding = route.forwarding(
            from: CallerForwarding.Caller(peer: peer, isPeerTrusted: caller.isPeerTrusted))
        let crossing = try RequestHead(
            whole: forwarding.head(of: head, upgrade: head.upgradeOffer), limits: HTTPLimits())
        #expect(crossing.fields[.xForwardedFor] == forwardedFor)
        #expect(crossing.fields[.destination] == "http://listed.example/to")
        #expect(crossing.fields[.xTunnelHost] == "listed")
        #expect(crossing.fields[.xTunnelPublic] == "- /w")
    }

    @Test(arguments: [
        ("route-table-token-1", "token /w"), ("route-tabl%65-token-1", "token="),
    ])
    func aTokenInThePathStaysThereForCallers(_ written: String, _ told: String) throws {
        let head = RequestHead(
            method: "GET", target: "/w/_token/\(written)/x", fields: HeaderFields([.host: "listed.example"]))
        guard case .forward(let route) = try Self.table().route(head) else {
            Issue.record("goes nowhere")
            return
        }
        var request = head
        request.target = route.target
        let forwarding = route.forwarding(from: CallerForwarding.Caller(peer: "192.0.2.1"))
        let crossing = try RequestHead(
            whole: forwarding.head(of: request, upgrade: head.upgradeOffer), limits: HTTPLimits())
        #expect(crossing.target == "/x")
        #expect(crossing.fields[.xTunnelPublic]?.hasPrefix(told.prefix(6)) == true)
        let prefix = PublicPrefix(fieldValue: crossing.fields[.xTunnelPublic] ?? "")
        #expect(prefix.path(token: "route-table-token-1") == "/w/_token/\(written)")
    }
}
