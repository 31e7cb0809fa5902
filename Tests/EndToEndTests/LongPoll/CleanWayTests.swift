import TestSupport
import Testing

/// Everything, over ways on which nobody does anything wrong.
@Suite(.serialized)  // They measure time.
struct CleanWayTests {
    /// What nginx has to be told for WebSockets, when they are what is asked for.
    private static let upgrade =
        LongPoll.isPolled
        ? ""
        : "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;"

    private static func nginx(_ lines: String) -> @Sendable (Int) throws -> Way.Opened {
        { server in
            let front = try NginxFront(
                "location / { proxy_pass http://127.0.0.1:\(server); \(upgrade) \(lines) }\nclient_max_body_size 1m;"
            )
            return Way.Opened(port: front.port, between: [front])
        }
    }

    /// Longer than HAProxy waits for its server.
    private static let patience = Duration.seconds(LongPoll.isSlow ? 10 : 2)

    static let ways = [
        Way(testDescription: "nothing") { Way.Opened(port: $0) },
        Way(testDescription: "tinyproxy") { server in
            let proxy = try Tinyproxy()
            return Way.Opened(
                port: server, options: ["proxy: http://127.0.0.1:\(proxy.port)"], between: [proxy])
        },
        Way(testDescription: "squid") { server in
            let proxy = try Squid()
            return Way.Opened(
                port: server, options: ["proxy: http://127.0.0.1:\(proxy.port)"], between: [proxy],
                check: {
                    guard LongPoll.isPolled else { return }
                    let polls = try proxy.requests().filter {
                        $0.contains("http://127.0.0.1:\(server)/_tunnel/poll")
                    }
                    #expect(!polls.isEmpty)
                })
        },
        Way(
            testDescription: "nginx that gathers answers",
            open: nginx("proxy_http_version 1.1; proxy_buffering on; proxy_request_buffering off;")),
        // Its defaults: answers and requests are gathered, 1 MiB at most, and the server is asked in HTTP/1.0.
        Way(
            testDescription: "nginx that gathers all",
            open: nginx(LongPoll.isPolled ? "" : "proxy_http_version 1.1;")),
        Way(
            testDescription: "HAProxy",
            silence: LongPoll.isPolled ? patience + .seconds(2) : nil
        ) { server in
            let front = try HAProxy(to: server, silence: patience)
            return Way.Opened(port: front.port, between: [front])
        },
    ]

    @Test(.timeLimit(.minutes(LongPoll.minutes)), arguments: ways)
    func aTunnelCarriesEverything(way: Way) throws {
        try CarriedTunnel.expectToCarryEverything(over: way)
    }
}
