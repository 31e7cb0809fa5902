import HTTPMessage
import NIOCore
import NIOPosix
import OriginHTTP
import TestSupport
import Testing

/// Exchanges with little origins on the loopback interface.
@Suite(.timeLimit(.minutes(1)))
struct HTTPOriginTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    private func head(_ method: String, _ target: String = "/", _ fields: HeaderFields = HeaderFields())
        -> RequestHead
    {
        RequestHead(method: method, target: target, fields: fields)
    }

    private func contract(_ state: RecordedExchange.State, at location: SourceLocation = #_sourceLocation) {
        #expect(!state.calledTooEarly, sourceLocation: location)
        #expect(!state.calledAfterEnd, sourceLocation: location)
    }

    // MARK: Exchanges

    /// An origin with two connections: one whose answer waits for a gate, and one that is idle.
    private struct OneSlowOneIdle {
        let gate = Gate()
        let server: ScriptedOrigin
        let origin: HTTPOrigin
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let slow: RecordedExchange

        init() throws {
            let gate = gate
            server = try ScriptedOrigin { connection in
                while let request = try connection.readRequest() {
                    if request.target == "/slow" { try gate.wait() }
                    try connection.respond(text: "ok")
                }
            }
            origin = HTTPOrigin(try OriginAddress(server.url))
            slow = try RecordedExchange(
                origin, RequestHead(method: "GET", target: "/slow", fields: HeaderFields()), on: loop)
            try server.waitForConnections(1)
            #expect(try RecordedExchange.get(origin, on: loop).text == "ok")
        }
    }

    @Test func aRetiredOriginKeepsNoConnection() throws {
        let world = try OneSlowOneIdle()
        let (server, origin) = (world.server, world.origin)
        origin.retire()
        // The one that was idle.
        try server.waitForEnds(1)
        world.gate.open()
        #expect(try world.slow.waitForEnd().text == "ok")
        try server.waitForEnds(2)
        // Also on a loop that had none: who chose the origin before is served.
        let other = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        #expect(try RecordedExchange.get(origin, on: other.next()).text == "ok")
        try server.waitForEnds(3)
        try other.syncShutdownGracefully()
    }

    @Test func idleConnectionsAreClosedOnRequestAndMadeAnew() throws {
        let world = try OneSlowOneIdle()
        let (server, origin) = (world.server, world.origin)
        origin.closeIdle()
        try server.waitForEnds(1)
        world.gate.open()
        #expect(try world.slow.waitForEnd().text == "ok")
        // What becomes idle afterwards is kept.
        #expect(try RecordedExchange.get(origin, on: world.loop).text == "ok")
        try server.waitForConnections(2)
        origin.retire()
    }

    @Test func requestsReachTheOriginAndItsAnswerComesBack() throws {
        let server = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                try connection.respond(fields: [("X-Host", request["Host"] ?? "")], text: request.startLine)
            }
        }
        let state = try RecordedExchange.get(try server.origin(), "/a?b")
        contract(state)
        #expect(state.heads.map(\.status) == [200])
        #expect(state.framings == [.length(17)])
        #expect(state.heads.first?.fields[.xHost] == "127.0.0.1:\(server.port)")
        #expect(state.text == "GET /a?b HTTP/1.1")
        #expect(state.isEnded)
    }

    @Test func bodiesAndTrailersGoBothWays() throws {
        let server = try ScriptedOrigin.echo()
        let exchange = try RecordedExchange(
            try server.origin(), head("POST", "/x"), framing: .chunked, on: loop)
        var generator = SplitMix64(seed: 7)
        let pieces = [1, 5000, 70_000, 3].map { generator.bytes($0) }
        for piece in pieces { try exchange.send(piece) }
        try exchange.end(trailers: HeaderFields([.date: "late"]))
        let state = try exchange.waitForEnd()
        contract(state)
        #expect(state.framings == [.chunked])
        #expect(state.body == Array(pieces.joined()))
        #expect(state.trailers?[.date] == "late")
    }

    @Test func bodiesOfKnownLengthEndWithoutBeingEnded() throws {
        let server = try ScriptedOrigin.echo()
        let origin = try server.origin()
        for _ in 0..<2 {
            let exchange = try RecordedExchange(origin, head("PUT"), framing: .length(5), on: loop)
            try exchange.send("hel")
            try exchange.send("lo")
            #expect(try exchange.waitForEnd().text == "hello")
        }
        #expect(server.connectionCount == 1)
    }

    @Test func interimAnswersComeFirst() throws {
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.writeHead(103, fields: [("Link", "</a.css>")])
            try connection.writeHead(100)
            let body = try connection.readBody(of: request)
            try connection.respond(body: body)
        }
        let fields = HeaderFields([.expect: "100-continue"])
        let exchange = try RecordedExchange(
            try server.origin(), head("POST", "/", fields), framing: .length(2), on: loop)
        try exchange.wait("100") { $0.status == 100 }
        try exchange.send("ok")
        let state = try exchange.waitForEnd()
        #expect(state.heads.map(\.status) == [103, 100, 200])
        #expect(state.text == "ok")
    }

    @Test func answersWithoutBodyKeepTheConnection() throws {
        let server = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                let status = request.method == "HEAD" ? 200 : Int(request.target.dropFirst()) ?? 0
                try connection.writeHead(status, fields: [("Content-Length", "5")])
            }
        }
        let origin = try server.origin()
        for (method, target) in [("HEAD", "/"), ("GET", "/304"), ("GET", "/204")] {
            let state = try RecordedExchange.get(origin, target, method: method, on: loop)
            #expect(state.isEnded && state.body.isEmpty)
            #expect(state.framings == [.none])
        }
        #expect(server.connectionCount == 1)
    }

    @Test func upgradedConnectionsAreRawAndHalfClose() throws {
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try connection.writeHead(
                101, fields: [("Connection", "Upgrade"), ("Upgrade", request["Upgrade"] ?? "")])
            try connection.socket.write("hi ")
            let received = try connection.socket.readToEnd()
            try connection.socket.write(received)
        }
        let fields = HeaderFields([.connection: "Upgrade", .upgrade: "raw"])
        let exchange = try RecordedExchange(try server.origin(), head("GET", "/", fields), on: loop)
        let upgraded = try exchange.wait("101") { $0.status == 101 && $0.text == "hi " }
        #expect(upgraded.framings == [.untilClose])
        #expect(upgraded.heads.last?.fields[.upgrade] == "raw")
        let large = [UInt8](repeating: UInt8(ascii: "x"), count: 300_000)
        try exchange.send(large)
        try exchange.end()
        let state = try exchange.waitForEnd()
        contract(state)
        #expect(state.isEnded)
        // Compared outside: a failure would print every byte.
        let isWhole = state.body == Array("hi ".utf8) + large
        #expect(isWhole, "\(state.body.count) bytes came")
    }

    @Test func afterTheOriginsHalfCloseTheOtherDirectionGoesOn() throws {
        let received = WaitableCounter()
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(101, fields: [("Connection", "Upgrade"), ("Upgrade", "raw")])
            connection.socket.finishWriting()
            received.add(try connection.socket.readToEnd().count)
        }
        let fields = HeaderFields([.connection: "Upgrade", .upgrade: "raw"])
        let exchange = try RecordedExchange(try server.origin(), head("GET", "/", fields), on: loop)
        contract(try exchange.waitForEnd())
        try exchange.send([UInt8](repeating: 1, count: 400_000))
        try exchange.send([UInt8](repeating: 2, count: 1))
        try exchange.end()
        try received.wait(for: 400_001, within: .seconds(20), what: "bytes at the origin")
    }

    // MARK: The pool

    @Test func connectionsAreKeptAlive() throws {
        let server = try ScriptedOrigin.echo()
        let origin = try server.origin()
        for number in 0..<5 {
            #expect(try RecordedExchange.get(origin, "/\(number)", on: loop).status == 200)
        }
        #expect(server.connectionCount == 1)
    }

    @Test func connectionsThatAskToCloseAreNotUsedAgain() throws {
        let server = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil {
                try connection.respond(fields: [("Connection", "close")], text: "x")
            }
        }
        let origin = try server.origin()
        for _ in 0..<2 { #expect(try RecordedExchange.get(origin, on: loop).text == "x") }
        #expect(server.connectionCount == 2)
    }

    /// The first connection answers once, and closes when it has read a second request.
    private func forgetfulServer() throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                _ = try connection.readBody(of: request)
                try connection.respond(text: "\(connection.number)")
                if connection.number == 1 {
                    if let request = try connection.readRequest() { _ = try connection.readBody(of: request) }
                    return
                }
            }
        }
    }

    @Test func repeatableRequestsAreRepeatedOnceOnAFreshConnection() throws {
        let server = try forgetfulServer()
        let origin = try server.origin()
        #expect(try RecordedExchange.get(origin, on: loop).text == "1")
        let second = try RecordedExchange.get(origin, on: loop)
        contract(second)
        #expect(second.text == "2")
        #expect(server.connectionCount == 2)
    }

    @Test(arguments: [("POST", HTTPMessage.BodyFraming.none), ("PUT", .length(1)), ("PATCH", .chunked)])
    func otherRequestsAreNeverRepeated(method: String, framing: HTTPMessage.BodyFraming) throws {
        let server = try forgetfulServer()
        let origin = try server.origin()
        #expect(try RecordedExchange.get(origin, on: loop).text == "1")
        let exchange = try RecordedExchange(origin, head(method), framing: framing, on: loop)
        if framing != .none { try exchange.send("x") }
        try exchange.end()
        let state = try exchange.waitForEnd()
        #expect(state.error?.code == .closedEarly)
        #expect(state.heads.isEmpty)
        #expect(server.connectionCount == 1)
    }

    @Test func aFreshConnectionThatDiesIsNotRepeated() throws {
        let server = try ScriptedOrigin { _ = try $0.readRequest() }
        let state = try RecordedExchange.get(try server.origin(), on: loop)
        #expect(state.error?.code == .closedEarly)
        #expect(server.connectionCount == 1)
    }

    @Test func requestsBeyondTheLimitWaitInOrderAndThenFail() throws {
        let gate = Gate()
        let server = try ScriptedOrigin { connection in
            while let request = try connection.readRequest() {
                if request.target == "/0" { try gate.wait() }
                try connection.respond(text: request.target)
            }
        }
        let origin = try server.origin(HTTPOriginOptions(activeConnections: 1, waitingRequests: 2))
        let exchanges = try (0..<4).map { try RecordedExchange(origin, head("GET", "/\($0)"), on: loop) }
        let refused = try exchanges[3].waitForEnd()
        contract(refused)
        #expect(refused.error?.code == .tooBusy)
        try exchanges[1].cancel()
        gate.open()
        #expect(try exchanges[0].waitForEnd().text == "/0")
        #expect(try exchanges[2].waitForEnd().text == "/2")
        #expect(exchanges[1].now.heads.isEmpty)
        #expect(server.connectionCount == 1)
    }

    @Test func waitingCountsAsConnecting() throws {
        let gate = Gate()
        defer { gate.open() }
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try gate.wait()
        }
        let origin = try server.origin(
            HTTPOriginOptions(connectTimeout: .milliseconds(100), activeConnections: 1))
        let first = try RecordedExchange(origin, head("GET"), on: loop)
        let second = try RecordedExchange.get(origin, on: loop)
        #expect(second.error?.code == .timedOut)
        #expect(!first.now.isOver)
        try first.cancel()
    }

    // MARK: Leaving, and back-pressure

    @Test func aCallerWhoLeavesCutsTheOriginsConnection() throws {
        let ended = Gate()
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(200, fields: [("Transfer-Encoding", "chunked")])
            try connection.socket.writeChunk([1])
            _ = connection.waitForEnd()
            ended.open()
        }
        let exchange = try RecordedExchange(try server.origin(), head("GET"), on: loop)
        try exchange.wait("a byte") { !$0.body.isEmpty }
        try exchange.cancel()
        try ended.wait()
        #expect(!exchange.now.isOver)
    }

    @Test func aPausedReaderStopsTheOrigin() throws {
        let written = WaitableCounter()
        let stalled = Gate()
        let total = 64 << 20
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(200, fields: [("Content-Length", String(total))])
            connection.socket.set(limit: .milliseconds(300))
            let piece = [UInt8](repeating: 7, count: 1 << 20)
            do {
                while true {
                    try connection.socket.write(piece)
                    written.add(piece.count)
                }
            } catch {
                stalled.open()
            }
        }
        let exchange = try RecordedExchange(
            try server.origin(), head("GET"), on: loop, pausesAtFirstByte: true)
        try stalled.wait()
        #expect(written.value < 32 << 20)
        #expect(exchange.now.body.count < 1 << 20)
        #expect(!exchange.now.isOver)
        try exchange.resume()
        let state = try exchange.waitForEnd()
        #expect(state.error?.code == .closedEarly)
        #expect(!state.heads.isEmpty)
        #expect(state.body.count >= written.value)
    }

    @Test func pausingLosesNothingOfAWholeResponse() throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.readRequest()
            try connection.writeHead(200)
            try connection.socket.write([UInt8](repeating: 7, count: 100_000))
        }
        let exchange = try RecordedExchange(try server.origin(), head("GET"), on: loop, isPaused: true)
        try server.waitForEnds(1)
        #expect(exchange.now.heads.isEmpty)
        try exchange.resume()
        let state = try exchange.waitForEnd()
        #expect(state.isEnded)
        #expect(state.body.count == 100_000)
    }

    @Test func anOriginThatDoesNotReadStopsTheSender() throws {
        let gate = Gate()
        let server = try ScriptedOrigin { connection in
            guard let request = try connection.readRequest() else { return }
            try gate.wait()
            try connection.respond(text: "\(try connection.readBody(of: request).count)")
        }
        let exchange = try RecordedExchange(try server.origin(), head("POST"), framing: .chunked, on: loop)
        let piece = [UInt8](repeating: 1, count: 64 << 10)
        var (sent, calls) = (0, 0)
        while sent < 64 << 20 {
            // Counted before asking: the call that follows a "no" may come at once.
            calls = exchange.now.writableCalls
            if try exchange.isWritable() {
                try exchange.send(piece)
                sent += piece.count
            } else if sent > 1 << 20 {
                break
            }
        }
        #expect(sent < 32 << 20)
        gate.open()
        try exchange.wait("room") { $0.writableCalls > calls }
        try exchange.end()
        #expect(try exchange.waitForEnd().text == "\(sent)")
    }
}
