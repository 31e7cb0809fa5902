import HTTPMessage
import NIOCore
import NIOPosix
import OriginHTTP
import TestSupport
import Testing

/// What becomes of exchanges whose origin breaks them off, refuses them or leaves, frame by frame.
@Suite(.timeLimit(.minutes(1)))
struct HTTP2FaultTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    private func get(_ target: String = "/") -> RequestHead { RequestHead(method: "GET", target: target) }
    private func post() -> RequestHead { RequestHead(method: "POST", target: "/") }

    /// An origin whose first connection runs a script, and whose others answer each request with the number of the connection
    /// and its body.
    private func server(
        settings: [(UInt16, UInt32)] = [], _ first: @escaping @Sendable (FramePeer) throws -> Void
    ) throws -> ScriptedOrigin {
        try ScriptedOrigin { connection in
            let peer = try FramePeer(connection, settings: settings)
            if connection.number == 1 {
                try first(peer)
            } else {
                while true { try Self.answer(peer, connection.number) }
            }
        }
    }

    private static func answer(_ peer: FramePeer, _ number: Int) throws {
        let request = try peer.request()
        let body = request.isWhole ? [] : try peer.body(of: request.stream)
        try peer.answer(request.stream)
        try peer.data(request.stream, "\(number) " + String(decoding: body, as: UTF8.self), ends: true)
    }

    // MARK: What was not looked at

    @Test func whatComesBehindTheLastStreamIsSentAgain() throws {
        let server = try server { peer in
            let (first, second, third) = (try peer.request(), try peer.request(), try peer.request())
            try peer.goAway(last: first.stream)
            try peer.answer(first.stream, ends: true)
            #expect(second.stream < third.stream)
            _ = peer.socket.waitForEnd()
        }
        let origin = try server.http2()
        let first = try RecordedExchange(origin, get(), on: loop)
        let second = try RecordedExchange(origin, get(), on: loop)
        let third = try RecordedExchange(origin, post(), framing: .chunked, on: loop)
        try third.send("its body")
        #expect(try first.waitForEnd().status == 200)
        #expect(try second.waitForEnd().text == "2 ")
        try third.send(", all of it")
        try third.end()
        #expect(try third.waitForEnd().text == "2 its body, all of it")
        // The connection is closed when it carries nothing.
        try server.waitForEnds(1)
        #expect(server.connectionCount == 2)
    }

    @Test func aBodyThatIsGoneIsNotSentAgain() throws {
        let server = try server { peer in
            let request = try peer.request()
            var count = 0
            while count < 20_000 { count += try peer.next(FramePeer.data).payload.count }
            try peer.reset(request.stream, 7)
            _ = peer.socket.waitForEnd()
        }
        let exchange = try RecordedExchange(try server.http2(), post(), framing: .chunked, on: loop)
        try exchange.send([UInt8](repeating: 1, count: 20_000))
        let error = try #require(try exchange.waitForEnd().error)
        #expect(error.code == .tooBusy && error.isPassing)
        #expect(server.connectionCount == 1)
    }

    @Test func whatIsRefusedGoesOnAnotherConnectionAndNotForEver() throws {
        let refusing = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection)
            try peer.reset(try peer.request().stream, 7)
            _ = connection.waitForEnd()
        }
        #expect(try RecordedExchange.get(try refusing.http2()).error?.code == .tooBusy)
        #expect(refusing.connectionCount == 3)
        let server = try server { peer in
            try peer.reset(try peer.request().stream, 7)
            _ = peer.socket.waitForEnd()
        }
        #expect(try RecordedExchange.get(try server.http2()).text == "2 ")
    }

    // MARK: What is broken off

    /// How an origin breaks the first exchange on a connection off.
    enum Fault: CaseIterable {
        case resetBeforeTheHead, resetBehindTheHead, closeBehindTheHead, closeBeforeTheHead,
            noErrorBeforeTheEnd

        func play(_ peer: FramePeer, _ stream: Int) throws {
            if self != .resetBeforeTheHead, self != .closeBeforeTheHead {
                try peer.answer(stream, 200)
                try peer.data(stream, "half")
            }
            switch self {
            case .resetBeforeTheHead, .resetBehindTheHead: try peer.reset(stream, 2)
            case .noErrorBeforeTheEnd: try peer.reset(stream, 0)
            case .closeBeforeTheHead, .closeBehindTheHead: peer.socket.close()
            }
        }
    }

    @Test(arguments: Fault.allCases) func anAnswerThatIsBrokenOffNeverLooksWhole(fault: Fault) throws {
        let server = try server { peer in
            try fault.play(peer, try peer.request().stream)
            _ = peer.socket.waitForEnd()
        }
        let state = try RecordedExchange.get(try server.http2())
        #expect(state.error?.code == .closedEarly && !state.isEnded && !state.calledAfterEnd)
        let hasHead = fault != .resetBeforeTheHead && fault != .closeBeforeTheHead
        #expect(state.text == (hasHead ? "half" : ""))
        #expect(server.connectionCount == 1)
    }

    @Test(arguments: ["GET", "POST"]) func onlyWhatIsHarmlessIsRepeatedWhenAUsedConnectionIsLost(
        method: String
    ) throws {
        let server = try server { peer in
            try Self.answer(peer, 1)
            _ = try peer.request()
            peer.socket.close()
        }
        let origin = try server.http2()
        #expect(try RecordedExchange.get(origin, on: loop).text == "1 ")
        let state = try RecordedExchange.get(origin, method: method, on: loop)
        if method == "GET" {
            #expect(state.text == "2 ")
        } else {
            #expect(state.error?.code == .closedEarly && server.connectionCount == 1)
        }
    }

    @Test func anEarlyAnswerIsWholeThoughTheRequestIsNot() throws {
        let server = try server { peer in
            let request = try peer.request()
            try peer.answer(request.stream, 413, [("content-length", "3")])
            try peer.data(request.stream, "no!", ends: true)
            try peer.reset(request.stream, 0)
            let other = try peer.request()
            try peer.answer(other.stream, ends: true)
            _ = peer.socket.waitForEnd()
        }
        let origin = try server.http2()
        let exchange = try RecordedExchange(origin, post(), framing: .chunked, on: loop)
        try exchange.send("some")
        let state = try exchange.waitForEnd()
        #expect(state.status == 413 && state.text == "no!" && state.isEnded)
        #expect(try RecordedExchange.get(origin, on: loop).status == 200)
        #expect(server.connectionCount == 1)
    }

    /// Answers that contradict themselves.
    enum Lie: CaseIterable {
        case tooShort, tooLong, bodyOfHEAD, noStatus, twice, switching, capitals

        var method: String { self == .bodyOfHEAD ? "HEAD" : "GET" }

        func play(_ peer: FramePeer, _ stream: Int) throws {
            switch self {
            case .tooShort:
                try peer.answer(stream, 200, [("content-length", "9")])
                try peer.data(stream, "short", ends: true)
            case .tooLong:
                try peer.answer(stream, 200, [("content-length", "3")])
                try peer.data(stream, "long")
            case .bodyOfHEAD:
                try peer.answer(stream, 200)
                try peer.data(stream, "body", ends: true)
            case .noStatus: try peer.answer(stream, nil, [("a", "b")])
            case .twice: try peer.answer(stream, 200, [("a", "b"), (":status", "200")])
            case .switching: try peer.answer(stream, 101)
            case .capitals: try peer.answer(stream, 200, [("X-A", "b")])
            }
        }
    }

    @Test(arguments: Lie.allCases) func anAnswerThatContradictsItselfIsBroken(lie: Lie) throws {
        let server = try server { peer in
            let first = try peer.request()
            try lie.play(peer, first.stream)
            // The connection goes on.
            let other = try peer.request()
            try peer.answer(other.stream, ends: true)
            _ = peer.socket.waitForEnd()
        }
        let origin = try server.http2()
        let state = try RecordedExchange.get(origin, method: lie.method, on: loop)
        // Where the head says that no body comes, the answer is over with it.
        if lie == .bodyOfHEAD {
            #expect(state.text == "")
        } else {
            #expect(state.error?.code == .malformed && !state.isEnded, "\(state)")
        }
        #expect(try RecordedExchange.get(origin, on: loop).status == 200)
        #expect(server.connectionCount == 1)
    }

    @Test func whatIsWantedOverHTTP1IsToldSo() throws {
        let server = try server { peer in
            try peer.reset(try peer.request().stream, 13)
            _ = peer.socket.waitForEnd()
        }
        let error = try #require(try RecordedExchange.get(try server.http2()).error)
        #expect(error.code == .unsupported && server.connectionCount == 1)
    }

    // MARK: Leaving

    @Test func aRetiredOriginFinishesWhatItHas() throws {
        let (arrived, gate) = (Gate(), Gate())
        let server = try server { peer in
            let request = try peer.request()
            arrived.open()
            try gate.wait()
            try peer.answer(request.stream, ends: true)
            _ = peer.socket.waitForEnd()
        }
        let origin = try server.http2()
        let exchange = try RecordedExchange(origin, get(), on: loop)
        try arrived.wait()
        origin.retire()
        gate.open()
        #expect(try exchange.waitForEnd().status == 200)
        try server.waitForEnds(1)
    }

    @Test func anIdleConnectionThatIsToldToGoIsClosed() throws {
        let server = try server { peer in
            try Self.answer(peer, 1)
            try peer.goAway(last: 1)
            _ = peer.socket.waitForEnd()
        }
        let origin = try server.http2()
        #expect(try RecordedExchange.get(origin, on: loop).text == "1 ")
        try server.waitForEnds(1)
        #expect(try RecordedExchange.get(origin, on: loop).text == "2 ")
    }

    @Test func anIdleConnectionIsClosedAfterAWhile() throws {
        let server = try server { peer in
            try Self.answer(peer, 1)
            _ = peer.socket.waitForEnd()
        }
        let origin = try server.http2(HTTPOriginOptions(idleTimeout: .milliseconds(50)))
        #expect(try RecordedExchange.get(origin, on: loop).text == "1 ")
        try server.waitForEnds(1)
    }

    @Test func whoAnswersNoPingIsGivenUp() throws {
        let server = try server { peer in
            _ = try peer.request()
            _ = try peer.next(FramePeer.ping)
            _ = peer.socket.waitForEnd()
        }
        let options = HTTPOriginOptions(pingQuiet: .milliseconds(50), pingPatience: .milliseconds(100))
        let error = try #require(try RecordedExchange.get(try server.http2(options)).error)
        #expect(error.code == .timedOut && error.message.contains("not even PING"))
    }

    @Test func whoAnswersPingMayTakeItsTime() throws {
        let server = try server { peer in
            let request = try peer.request()
            let ping = try peer.next(FramePeer.ping)
            try peer.send(FramePeer.ping, flags: 1, payload: ping.payload)
            _ = try peer.next(FramePeer.ping)
            try peer.answer(request.stream, ends: true)
            _ = peer.socket.waitForEnd()
        }
        let options = HTTPOriginOptions(pingQuiet: .milliseconds(50), pingPatience: .seconds(5))
        #expect(try RecordedExchange.get(try server.http2(options)).status == 200)
    }

    @Test func aCancelledExchangeKeepsItsPlaceUntilTheOriginKnows() throws {
        let (arrived, gate) = (Gate(), Gate())
        let server = try server(settings: [(3, 1)]) { peer in
            let first = try peer.request()
            arrived.open()
            #expect(try peer.next(FramePeer.reset, of: first.stream).payload == [0, 0, 0, 8])
            let ping = try peer.next(FramePeer.ping)
            try gate.wait()
            try peer.send(FramePeer.ping, flags: 1, payload: ping.payload)
            try Self.answer(peer, 1)
        }
        let origin = try server.http2(HTTPOriginOptions(activeConnections: 1))
        let first = try RecordedExchange(origin, get(), on: loop)
        let second = try RecordedExchange(origin, get(), on: loop)
        try arrived.wait()
        try first.cancel()
        gate.open()
        #expect(try second.waitForEnd().text == "1 ")
        #expect(server.connectionCount == 1)
    }
}
