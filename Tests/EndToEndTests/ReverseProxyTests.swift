import TestSupport
import Testing

/// nginx between callers and the tunnel server, as it often stands.
@Suite struct ReverseProxyTests {
    private let origin: ScriptedOrigin
    private let tunnel: TunnelPair
    private let proxy: NginxFront
    private let arrived = WaitableCounter()
    private static let token = [("X-Token", TunnelPair.token)]

    init() throws {
        let arrived = arrived
        origin = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                if request.has("Upgrade", "websocket") {
                    try connection.acceptWebSocket(request)
                    return try connection.echoWebSocket()
                }
                guard request.target == "/events" else {
                    try connection.echo(request)
                    continue
                }
                try connection.startEventStream()
                for number in 0..<3 {
                    try arrived.wait(for: number, within: .seconds(20), what: "events at the caller")
                    try connection.sendEvent("\(number)")
                }
                try connection.socket.writeLastChunk()
            }
        }
        tunnel = try TunnelPair(to: origin.url)
        proxy = try NginxFront(
            """
            location / {
                proxy_pass http://127.0.0.1:\(tunnel.port);
                proxy_http_version 1.1;
                proxy_buffering off;
                proxy_request_buffering off;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $http_connection;
            }
            """)
    }

    @Test(.timeLimit(.minutes(1))) func eventsAreNotHeldUp() throws {
        let caller = try HTTPConnection(port: proxy.port)
        try caller.send("GET", "/events", fields: Self.token)
        #expect(try caller.readHead().status == 200)
        for number in 0..<3 {
            let event = try #require(try caller.socket.readChunk())
            #expect(String(decoding: event, as: UTF8.self) == "data: \(number)\n\n")
            arrived.add(1)
        }
        #expect(try caller.socket.readChunk() == nil)
    }

    @Test(.timeLimit(.minutes(1))) func bodiesAndWebSocketsPass() throws {
        let body = SplitMix64(seed: 29).sequence(1 << 20)
        let caller = try HTTPConnection(port: proxy.port)
        for _ in 0..<3 {
            let answer = try caller.exchange("POST", "/echo", fields: Self.token, body: body)
            #expect(answer.status == 200)
            #expect(answer.body == body)
        }
        let socket = try WebSocketConnection(port: proxy.port, fields: Self.token)
        try socket.send(.binary(body))
        #expect(try socket.receive() == .binary(body))
        try socket.send(.close(code: 1000, reason: ""))
        #expect(try socket.receive() == .close(code: 1000, reason: ""))
    }
}
