import TestSupport
import Testing

/// What crosses a tunnel whichever program stands at its ends.
@Suite(.timeLimit(.minutes(1))) struct MatrixTests {
    /// Answers by the path; waits for `arrived` between events.
    private static func origin(arrived: WaitableCounter = WaitableCounter()) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                switch request.target {
                case "/chunks":
                    try connection.writeHead(200, fields: [("Transfer-Encoding", "chunked")])
                    for number in 0..<100 {
                        try connection.socket.writeChunk(Array("chunk \(number)\n".utf8))
                    }
                    try connection.socket.writeLastChunk()
                case "/head": try connection.writeHead(200, fields: [("Content-Length", "12345")])
                case "/fresh": try connection.writeHead(304, fields: [("ETag", "\"tag\"")])
                case "/nothing": try connection.writeHead(204)
                case "/moved":
                    try connection.respond(302, fields: [("Location", "/elsewhere")], text: "there")
                case "/events":
                    try connection.startEventStream()
                    for number in 0..<5 {
                        try arrived.wait(for: number, within: .seconds(20), what: "events at the caller")
                        try connection.sendEvent("event \(number)")
                    }
                    try connection.socket.writeLastChunk()
                default: try connection.echo(request)
                }
            }
        }
    }

    @Test(arguments: Ends.all) func aRequestAndItsAnswerCross(ends: Ends) throws {
        let origin = try Self.origin()
        let tunnel = try MixedTunnel(ends, to: origin)
        let answer = try tunnel.exchange("GET", "/some/page?a=b%20c&d")
        #expect(answer.status == 200)
        #expect(answer.head["X-Echo-Method"] == "GET")
        #expect(answer.head["X-Echo-Target"] == "/some/page?a=b%20c&d")
        let byPath = try HTTPConnection(port: tunnel.port)
            .exchange("DELETE", "/_token/\(MixedTunnel.token)/some/page?a")
        #expect(byPath.head["X-Echo-Method"] == "DELETE")
        #expect(byPath.head["X-Echo-Target"] == "/some/page?a")
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func tenMebibytesGoThereAndComeBack(ends: Ends) throws {
        let origin = try Self.origin()
        let tunnel = try MixedTunnel(ends, to: origin)
        let body = SplitMix64(seed: 10).sequence(10 << 20)
        // As one whose answer begins before the request has ended needs it.
        let caller = try HTTPConnection(port: tunnel.port)
        let sending = Background {
            try caller.send("POST", "/", fields: [("X-Token", MixedTunnel.token)], body: body)
        }
        let answer = try caller.readResponse()
        try sending.value()
        #expect(answer.status == 200)
        // What differs in so many bytes cannot be listed.
        let isSame = answer.body == body
        #expect(isSame, "\(answer.body.count) of \(body.count) bytes")
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func chunkedBodiesCrossBothWays(ends: Ends) throws {
        let origin = try Self.origin()
        let tunnel = try MixedTunnel(ends, to: origin)
        let answer = try tunnel.exchange("GET", "/chunks")
        #expect(answer.text == (0..<100).map { "chunk \($0)\n" }.joined())
        let caller = try tunnel.ask("POST", "/", fields: [("Transfer-Encoding", "chunked")])
        for number in 0..<50 { try caller.socket.writeChunk(Array("\(number) ".utf8)) }
        try caller.socket.writeLastChunk()
        #expect(try caller.readResponse().text == (0..<50).map { "\($0) " }.joined())
        // The next request is read from where the body ended.
        try caller.send("GET", "/next", fields: [("X-Token", MixedTunnel.token)])
        #expect(try caller.readResponse().head["X-Echo-Target"] == "/next")
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func answersWithoutBodyLeaveTheConnectionUsable(ends: Ends) throws {
        let origin = try Self.origin()
        let tunnel = try MixedTunnel(ends, to: origin)
        let caller = try HTTPConnection(port: tunnel.port)
        let token = [("X-Token", MixedTunnel.token)]
        let head = try caller.exchange("HEAD", "/head", fields: token)
        #expect(head.status == 200)
        #expect(head.head["Content-Length"] == "12345")
        let fresh = try caller.exchange("GET", "/fresh", fields: token + [("If-None-Match", "\"tag\"")])
        #expect(fresh.status == 304)
        #expect(fresh.head["ETag"] == "\"tag\"")
        #expect(try caller.exchange("GET", "/nothing", fields: token).status == 204)
        let moved = try caller.exchange("GET", "/moved", fields: token)
        #expect(moved.status == 302)
        #expect(moved.head["Location"] == "/elsewhere")
        #expect(try caller.exchange("POST", "/", fields: token, body: []).body == [])
        #expect(try caller.exchange("GET", "/end", fields: token).head["X-Echo-Target"] == "/end")
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func anEventArrivesBeforeTheNextIsMade(ends: Ends) throws {
        let arrived = WaitableCounter()
        let origin = try Self.origin(arrived: arrived)
        let tunnel = try MixedTunnel(ends, to: origin)
        let caller = try tunnel.ask("GET", "/events", fields: [("Accept", "text/event-stream")])
        #expect(try caller.readHead()["Content-Type"] == "text/event-stream")
        for number in 0..<5 {
            let event = try #require(try caller.socket.readChunk())
            #expect(String(decoding: event, as: UTF8.self) == "data: event \(number)\n\n")
            arrived.add(1)
        }
        #expect(try caller.socket.readChunk() == nil)
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func aHundredRequestsAreAtTheOriginAtOnce(ends: Ends) throws {
        let everybodyIsThere = WaitableCounter()
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            let body = try connection.readBody(of: request)
            everybodyIsThere.add(1)
            try everybodyIsThere.wait(for: 100, within: .seconds(30), what: "requests at the origin")
            try connection.respond(body: body)
        }
        let tunnel = try MixedTunnel(ends, to: origin)
        let answers = try inThreads(100) { number in
            let caller = try HTTPConnection(port: tunnel.port, limit: .seconds(40))
            return try caller.exchange(
                "POST", "/", fields: [("X-Token", MixedTunnel.token)], body: Array("\(number)".utf8)
            ).text
        }
        #expect(answers == (0..<100).map(String.init))
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func aSlowUploadHoldsNobodyUp(ends: Ends) throws {
        let origin = try Self.origin()
        let tunnel = try MixedTunnel(ends, to: origin) { $0.connections = 2 }
        let slow = try tunnel.ask("POST", "/slow", fields: [("Content-Length", "100000")])
        let half = [UInt8](repeating: 3, count: 50_000)
        try slow.send(half)
        for number in 0..<20 {
            #expect(try tunnel.exchange("GET", "/\(number)").head["X-Echo-Target"] == "/\(number)")
        }
        try slow.send(half)
        #expect(try slow.readResponse().body.count == 100_000)
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func twoClientsServeAThousandRequestsWithoutAnError(ends: Ends) throws {
        let origin = try Self.origin()
        let tunnel = try MixedTunnel(ends, to: origin, clients: 2)
        let wrong = try inThreads(20) { number in
            let caller = try HTTPConnection(port: tunnel.port)
            return try (0..<50).filter { round in
                let body = Array("\(number) \(round)".utf8)
                let answer = try caller.exchange(
                    "POST", "/", fields: [("X-Token", MixedTunnel.token)], body: body)
                return answer.status != 200 || answer.body != body
            }.count
        }
        #expect(wrong.reduce(0, +) == 0)
        #expect(tunnel.violations == [])
    }

    @Test(arguments: Ends.all) func whatIsLostIsTakenUpAgainWhenTheTunnelReturns(ends: Ends) throws {
        let arrived = WaitableCounter()
        let origin = try Self.origin(arrived: arrived)
        let tunnel = try MixedTunnel(ends, to: origin)
        let broken = try tunnel.ask("GET", "/events")
        #expect(try broken.readHead().status == 200)
        #expect(try broken.socket.readChunk() == Array("data: event 0\n\n".utf8))
        var waiting: HTTPConnection?
        try tunnel.reconnect {
            // Half an answer never looks whole.
            #expect(throws: StreamEnd.self) { try broken.socket.readChunk() }
            waiting = try tunnel.ask("GET", "/waiting")
        }
        #expect(try waiting?.readResponse().head["X-Echo-Target"] == "/waiting")
        for _ in 0..<5 { #expect(try tunnel.exchange("POST", "/", body: [1]).body == [1]) }
        #expect(tunnel.violations == [])
    }
}
