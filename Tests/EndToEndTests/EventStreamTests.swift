import TestSupport
import Testing

/// Answers that come piece by piece, and callers that leave in the middle of one.
@Suite struct EventStreamTests {
    private static let token = [("X-Token", TunnelPair.token)]

    @Test(.timeLimit(.minutes(1)), arguments: [1, 2])
    func anEventArrivesBeforeTheNextIsMade(connections: Int) throws {
        let arrived = WaitableCounter()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.startEventStream()
            for number in 0..<5 {
                try arrived.wait(for: number, within: .seconds(20), what: "events at the caller")
                try connection.sendEvent("event \(number)")
            }
            try connection.socket.writeLastChunk()
        }
        let tunnel = try TunnelPair(to: origin.url, connections: connections)
        let caller = try tunnel.connect()
        try caller.send("GET", "/events", fields: Self.token + [("Accept", "text/event-stream")])
        let head = try caller.readHead()
        #expect(head["Content-Type"] == "text/event-stream")
        for number in 0..<5 {
            let event = try #require(try caller.socket.readChunk())
            #expect(String(decoding: event, as: UTF8.self) == "data: event \(number)\n\n")
            arrived.add(1)
        }
        #expect(try caller.socket.readChunk() == nil)
    }

    @Test(.timeLimit(.minutes(1))) func aRequestBodyArrivesBeforeItsRestIsSent() throws {
        let origin = try ScriptedOrigin.echo()
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send("POST", "/", fields: Self.token + [("Transfer-Encoding", "chunked")])
        try caller.socket.writeChunk(Array("first".utf8))
        #expect(try caller.readHead().status == 200)
        #expect(try caller.socket.readChunk() == Array("first".utf8))
        try caller.socket.writeChunk(Array("second".utf8))
        #expect(try caller.socket.readChunk() == Array("second".utf8))
        try caller.socket.writeLastChunk()
        #expect(try caller.socket.readChunk() == nil)
    }

    /// How a caller may leave.
    enum Leaving: CaseIterable {
        case close, reset
    }

    @Test(.timeLimit(.minutes(1)), arguments: Leaving.allCases)
    func aCallerThatLeavesAStreamEndsItAtTheOrigin(leaving: Leaving) throws {
        let seen = Gate()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.startEventStream()
            try connection.sendEvent("first")
            guard connection.waitForEnd() != .timedOut else { return }
            seen.open()
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send("GET", "/events", fields: Self.token)
        _ = try caller.readHead()
        _ = try caller.socket.readChunk()
        if leaving == .close { caller.close() } else { caller.reset() }
        try seen.wait(within: .seconds(5))
        try tunnel.server.waitForLog("Request", ["outcome": "caller-left"])
    }

    @Test(.timeLimit(.minutes(1))) func aCallerThatLeavesBeforeTheAnswerEndsItsRequest() throws {
        let asked = Gate()
        let seen = Gate()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            asked.open()
            guard connection.waitForEnd() != .timedOut else { return }
            seen.open()
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send("GET", "/", fields: Self.token)
        try asked.wait()
        caller.close()
        try seen.wait(within: .seconds(5))
    }

    @Test(.timeLimit(.minutes(1))) func aCallerThatLeavesAnUploadEndsItAtTheOrigin() throws {
        let asked = Gate()
        let seen = Gate()
        let origin = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            asked.open()
            guard connection.waitForEnd() != .timedOut else { return }
            seen.open()
        }
        let tunnel = try TunnelPair(to: origin.url)
        let caller = try tunnel.connect()
        try caller.send("POST", "/", fields: Self.token + [("Content-Length", "1000000")])
        try caller.send("the beginning")
        try asked.wait()
        caller.close()
        try seen.wait(within: .seconds(5))
    }

    @Test(.timeLimit(.minutes(1))) func anAnswerThatBreaksOffNeverLooksWhole() throws {
        let origin = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            let framing =
                request.target == "/chunked" ? ("Transfer-Encoding", "chunked") : ("Content-Length", "100")
            try connection.writeHead(200, fields: [framing])
            try connection.socket.write(request.target == "/chunked" ? "4\r\npart\r\n" : "part")
        }
        let tunnel = try TunnelPair(to: origin.url)
        for target in ["/chunked", "/length"] {
            let caller = try tunnel.connect()
            try caller.send("GET", target, fields: Self.token)
            #expect(throws: StreamEnd.self, "\(target)") { try caller.readResponse() }
        }
        // An old caller's body ends with the connection: it must see that this end is none.
        let old = try tunnel.connect()
        try old.send("GET /chunked HTTP/1.0\r\nX-Token: \(TunnelPair.token)\r\n\r\n")
        #expect(throws: StreamEnd.reset) { try old.readResponse() }
    }
}
