import HTTPMessage
import NIOCore
import Observability
import Routing
import TunnelProtocol

private let tunnelCount = 10_000

/// Who is asked for, and which of the sessions takes it.
private func lookUpToken() throws -> Operation {
    var table = TokenTable(maximumWaiting: 100, maximumClients: nil)
    let now = MonotonicInstant(nanoseconds: 1)
    let tokens = try (0..<tunnelCount).map { try RendezvousToken("token-of-the-tunnel-\($0)") }
    for (index, token) in tokens.enumerated() {
        _ = table.join(
            token,
            .init(
                id: UInt64(index), session: index, loop: 0, capacity: 1000,
                client: ClientIdentity(process: "client-\(index)", slot: 0)), now: now)
    }
    var next = 0
    return {
        // Far from the last one, so that nothing of it is at hand.
        next = (next + 7919) % tunnelCount
        guard
            case .send(let id, let session) = table.request(
                tokens[next], loop: 0, caller: "203.0.113.7", now: now, request: { 0 })
        else { throw WrongResult(description: "no session") }
        try require(session == next, "the session of another tunnel")
        blackHole(table.streamEnded(id))
    }
}

private let crowdSize = 1000

/// Which of many sessions of one token takes a request; it costs the same in a crowd, but for a logarithm.
private func lookUpInCrowd() throws -> Operation {
    var table = TokenTable(maximumWaiting: 100, maximumClients: nil)
    let now = MonotonicInstant(nanoseconds: 1)
    let token = try RendezvousToken("token-of-the-tunnel")
    for index in 0..<crowdSize {
        _ = table.join(
            token,
            .init(
                id: UInt64(index), session: index, loop: index % 2, capacity: 1000,
                client: ClientIdentity(process: "client-\(index)", slot: 0)), now: now)
    }
    return {
        guard
            case .send(let id, _) = table.request(
                token, loop: 0, caller: "203.0.113.7", now: now, request: { 0 })
        else { throw WrongResult(description: "no session") }
        try require(id % 2 == 0, "a session of another loop")
        blackHole(table.streamEnded(id))
    }
}

private func route() throws -> Operation {
    let head = try RequestHead(whole: Texts.browserRequest, limits: HTTPLimits())
    return {
        let caller = CallerAddress(peer: "203.0.113.7", head.fields, trusted: [])
        guard case .forward(let route) = CallerRoute(head, basePath: "") else {
            throw WrongResult(description: "refused")
        }
        try require(route.token.secret == Texts.token && caller.text == "203.0.113.7", route.target)
        blackHole(route)
    }
}

/// The same where the token is in the path, as in a link or a webhook.
private func routeByPath() throws -> Operation {
    var head = try RequestHead(whole: Texts.browserRequest, limits: HTTPLimits())
    head.target = "/_token/\(Texts.token)\(head.target)"
    let request = head
    return {
        guard case .forward(let route) = CallerRoute(request, basePath: "") else {
            throw WrongResult(description: "refused")
        }
        try require(route.token.secret == Texts.token && route.policy.namedBy == .path, route.target)
        blackHole(route.target)
    }
}

private func forward() throws -> Operation {
    let head = try RequestHead(whole: Texts.browserRequest, limits: HTTPLimits())
    // Of a connection.
    let source = CallerForwarding.Caller.source("203.0.113.7", port: 50_000)
    return {
        let forwarding = CallerForwarding(
            token: Texts.token, isHostListed: false,
            caller: CallerForwarding.Caller(peer: "203.0.113.7", source: source))
        let text = forwarding.head(of: head, upgrade: head.upgradeOffer)
        try require(text.readableBytes > 400, "\(text.readableBytes) bytes")
        blackHole(text)
    }
}

private func writeAnswer() throws -> Operation {
    let request = try RequestHead(whole: Texts.browserRequest, limits: HTTPLimits())
    let head = try ResponseHead(whole: Texts.response(1024), limits: HTTPLimits())
    let body = Texts.body(1024)
    // `Connection: keep-alive` is the origin's.
    let expected = 1024 + Texts.response(1024).readableBytes - 24
    return {
        var encoder = ResponseEncoder(request.version, keepAlive: true)
        var settled = head
        Forwarding.rewrite(&settled, at: .answerToCaller)
        let length = try AnswerLength(settling: &settled, toMethod: request.method, isLast: false)
        guard length.accepts(body.readableBytes, isLast: true) else {
            throw WrongResult(description: "another length")
        }
        var count = encoder.begin(consume settled, length, date: "").readableBytes
        encoder.write(body, isLast: true) {
            count += $0.readableBytes
            blackHole($0)
        }
        try require(count == expected, "\(count) bytes")
    }
}

private func accessLine(_ format: LogFormat) throws -> Operation {
    let moment = LogTimestamp(millisecondsSince1970: 1_769_860_800_000)
    return {
        let record = AccessRecord(
            serverName: "public", tokenHint: "b1d3f7a9...", requestID: 123_456, method: "GET",
            path: "/dashboard/index.html?tab=overview", status: 200, responseBytes: 1024,
            timing: RequestTiming(whole: 1_301_000, firstByte: 1_234_000), callerAddress: "203.0.113.7:51234",
            outcome: .ok)
        let line = record.line(format: format, at: moment)
        try require(
            line.count > 200 && line.last == UInt8(ascii: "\n"), String(decoding: line, as: UTF8.self))
        blackHole(line)
    }
}

let serverBenchmarks = [
    Benchmark("token-lookup-10000", "a request finds its session among 10,000 tunnels", prepare: lookUpToken),
    Benchmark(
        "token-lookup-crowd", "a request finds its session among 1,000 of one tunnel", prepare: lookUpInCrowd),
    Benchmark("caller-route", "address and tunnel of a browser's request", prepare: route),
    Benchmark("caller-route-path", "the tunnel of a request with a token in its path", prepare: routeByPath),
    Benchmark("caller-forward", "a browser's request is written for the tunnel", prepare: forward),
    Benchmark("caller-answer", "an answer of 1 KiB is written for the caller", prepare: writeAnswer),
    Benchmark("access-line-text", "a line of the access log, as text") { try accessLine(.text) },
    Benchmark("access-line-logfmt", "the same as logfmt") { try accessLine(.logfmt) },
    Benchmark("access-line-json", "the same as JSON") { try accessLine(.json) },
]
