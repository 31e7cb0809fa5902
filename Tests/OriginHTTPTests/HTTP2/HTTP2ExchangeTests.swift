import HTTPMessage
import NIOCore
import NIOHTTP2
import NIOPosix
import OriginHTTP
import TestSupport
import Testing

/// Exchanges with a real server of HTTP/2.
@Suite(.timeLimit(.minutes(1)))
struct HTTP2ExchangeTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    private func head(_ method: String, _ target: String = "/", _ fields: HeaderFields = HeaderFields())
        -> RequestHead
    {
        RequestHead(method: method, target: target, fields: fields)
    }

    private func contract(_ state: RecordedExchange.State, at location: SourceLocation = #_sourceLocation) {
        #expect(!state.calledTooEarly && !state.calledAfterEnd, sourceLocation: location)
    }

    /// Who is asked, and in which version.
    enum Way: CaseIterable {
        case priorKnowledge, chosenByTLS, insistedOnOverTLS

        func origin() throws -> (HTTP2EchoServer, HTTPOrigin) {
            switch self {
            case .priorKnowledge:
                let server = try HTTP2EchoServer()
                return (server, try server.origin(.http2))
            case .chosenByTLS:
                let server = try HTTP2EchoServer(protocols: ["h2", "http/1.1"])
                return (server, try server.origin(.automatic))
            case .insistedOnOverTLS:
                let server = try HTTP2EchoServer(protocols: ["h2"])
                return (server, try server.origin(.http2))
            }
        }
    }

    @Test(arguments: Way.allCases) func aRequestIsWrittenAsHTTP2HasIt(way: Way) throws {
        let (server, origin) = try way.origin()
        var fields = HeaderFields([.connection: "close, X-Mine", .te: "deflate, trailers"])
        fields.append(named: "X-Mine", "1")
        fields.append(named: "X-Kept", "2")
        fields.append(named: "Cookie", "a=1; b=2")
        let state = try RecordedExchange.get(origin, "/a?b", fields: fields)
        contract(state)
        let said = try #require(state.heads.first).fields
        let host = way == .priorKnowledge ? "127.0.0.1:\(server.port)" : "localhost:\(server.port)"
        #expect(
            said.pairs.map { "\($0.name): \($0.value)" } == [
                "x-method: GET", "x-scheme: \(way == .priorKnowledge ? "http" : "https")", "x-path: /a?b",
                "x-authority: \(host)", "x-x-kept: 2", "x-cookie: a=1; b=2", "x-te: trailers",
            ])
        #expect(state.status == 200 && state.framings == [.none] && state.isEnded && state.trailers == nil)
        #expect(state.heads.first?.reason == "OK")
    }

    @Test(arguments: Way.allCases) func bodiesAndTrailersGoBothWays(way: Way) throws {
        let (server, origin) = try way.origin()
        let exchange = try RecordedExchange(origin, head("POST", "/x"), framing: .chunked, on: loop)
        var generator = SplitMix64(seed: 7)
        let pieces = [1, 5000, 70_000, 3, 400_000].map { generator.bytes($0) }
        for piece in pieces { try exchange.send(piece) }
        try exchange.end(trailers: HeaderFields([.date: "late", .host: "evil"]))
        let state = try exchange.waitForEnd()
        contract(state)
        #expect(state.framings == [.chunked])
        #expect(state.body == Array(pieces.joined()))
        #expect(state.trailers?.pairs.map(\.name) == ["date"])
        withExtendedLifetime(server) {}
    }

    @Test func aBodyOfKnownLengthSaysSo() throws {
        let server = try HTTP2EchoServer()
        let exchange = try RecordedExchange(
            try server.origin(.http2), head("PUT", "/"), framing: .length(5), on: loop)
        try exchange.send("hello")
        let state = try exchange.waitForEnd()
        #expect(state.text == "hello")
        #expect(state.heads.first?.fields.first(named: "x-content-length") == "5")
    }

    @Test func interimAnswersComeFirst() throws {
        let server = try HTTP2EchoServer()
        let state = try RecordedExchange.get(try server.origin(.http2), "/hints")
        #expect(state.heads.map(\.status) == [103, 200])
        let fields = HeaderFields([.expect: "100-continue"])
        let exchange = try RecordedExchange(
            try server.origin(.http2), head("POST", "/", fields), framing: .length(2), on: loop)
        try exchange.wait("100") { $0.heads.map(\.status).starts(with: [100]) }
        try exchange.send("ok")
        #expect(try exchange.waitForEnd().text == "ok")
    }

    @Test func manyExchangesShareOneConnection() throws {
        let server = try HTTP2EchoServer()
        let origin = try server.origin(.http2, HTTPOriginOptions(activeConnections: 1, waitingRequests: 200))
        let exchanges = try (0..<50).map { number in
            try RecordedExchange(origin, head("POST", "/\(number)"), framing: .chunked, on: loop)
        }
        for (number, exchange) in exchanges.enumerated() { try exchange.send("body \(number)") }
        for exchange in exchanges { try exchange.end() }
        for (number, exchange) in exchanges.enumerated() {
            let state = try exchange.waitForEnd()
            contract(state)
            #expect(state.text == "body \(number)")
        }
    }

    @Test func moreThanAConnectionCarriesWaitsForAnother() throws {
        let settings = [HTTP2Setting(parameter: .maxConcurrentStreams, value: 2)]
        let server = try HTTP2EchoServer(settings: settings)
        let origin = try server.origin(.http2, HTTPOriginOptions(activeConnections: 2))
        let exchanges = try (0..<6).map { _ in
            try RecordedExchange(origin, head("POST"), framing: .chunked, on: loop)
        }
        for exchange in exchanges { try exchange.send("x") }
        // Four are served at once, the others when these have ended.
        for exchange in exchanges.prefix(4) { try exchange.wait("a byte") { $0.text == "x" } }
        #expect(exchanges.suffix(2).allSatisfy { $0.now.heads.isEmpty })
        for exchange in exchanges { try exchange.end() }
        for exchange in exchanges { #expect(try exchange.waitForEnd().text == "x") }
    }

    @Test func aStalledExchangeHoldsUpNobodyElse() throws {
        let server = try HTTP2EchoServer()
        let origin = try server.origin(.http2, HTTPOriginOptions(activeConnections: 1))
        let stalled = try RecordedExchange(
            origin, head("POST"), framing: .chunked, on: loop, pausesAtFirstByte: true)
        var generator = SplitMix64(seed: 3)
        let large = generator.bytes(3 << 20)
        try stalled.send(large)
        try stalled.end()
        try stalled.wait("a byte") { !$0.body.isEmpty }
        let other = try RecordedExchange(origin, head("POST"), framing: .chunked, on: loop)
        try other.send(large)
        try other.end()
        #expect(try other.waitForEnd().body == large)
        #expect(stalled.now.body.count < 1 << 20)
        try stalled.resume()
        #expect(try stalled.waitForEnd().body == large)
    }

    @Test func theSenderWaitsForTheWindowsOfTheOrigin() throws {
        let gate = Gate()
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection)
            let request = try peer.request()
            var count = 0
            while count < 65_535 { count += try peer.next(FramePeer.data).payload.count }
            try gate.wait()
            try peer.openWindow(0, by: 1 << 20)
            try peer.openWindow(request.stream, by: 1 << 20)
            count += try peer.body(of: request.stream).count
            try peer.answer(request.stream, 200, [("x-count", String(count))], ends: true)
            _ = connection.waitForEnd()
        }
        let exchange = try RecordedExchange(
            try server.http2(), head("POST"), framing: .chunked, on: loop)
        try exchange.send([UInt8](repeating: 1, count: 200_000))
        #expect(try !exchange.isWritable())
        gate.open()
        try exchange.wait("writability") { $0.writableCalls > 0 }
        try exchange.end()
        let state = try exchange.waitForEnd()
        #expect(state.heads.first?.fields.first(named: "x-count") == "200000")
    }

    @Test func whatBeginsWhileTheSocketIsFullIsNotLost() throws {
        let gate = Gate()
        let server = try ScriptedOrigin(receiveBuffer: 4096) { connection in
            let peer = try FramePeer(connection, settings: [(4, 16 << 20)])
            try peer.openWindow(0, by: 64 << 20)
            try gate.wait()
            var (counts, left) = ([Int: Int](), 20)
            while left > 0 {
                let frame = try peer.read()
                guard frame.stream > 0 else { continue }
                if frame.type == FramePeer.data { counts[frame.stream, default: 0] += frame.payload.count }
                guard frame.endsStream, frame.type < 2 else { continue }
                left -= 1
                try peer.answer(frame.stream)
                try peer.data(frame.stream, "\(counts[frame.stream] ?? 0)", ends: true)
            }
            _ = connection.waitForEnd()
        }
        let origin = try server.http2()
        let body = [UInt8](repeating: 1, count: 8 << 20)
        let large = try RecordedExchange(origin, head("POST"), framing: .length(body.count), on: loop)
        try server.waitForConnections(1)
        try large.send(body)
        #expect(try !large.isWritable())
        let others = try (1..<20).map { number in
            let exchange = try RecordedExchange(origin, head("POST"), framing: .chunked, on: loop)
            try exchange.send([UInt8](repeating: 2, count: number * 1000))
            try exchange.end()
            return exchange
        }
        gate.open()
        #expect(try large.waitForEnd().text == "\(body.count)")
        for (index, exchange) in others.enumerated() {
            #expect(try exchange.waitForEnd().text == "\((index + 1) * 1000)")
        }
        #expect(server.connectionCount == 1)
    }

    @Test func whatEachVersionIsAskedForHolds() throws {
        let both = try HTTP2EchoServer(protocols: ["h2", "http/1.1"])
        #expect(try RecordedExchange.get(try both.origin(.http1)).text == "old")
        let old = try HTTP2EchoServer(protocols: ["http/1.1"])
        #expect(try RecordedExchange.get(try old.origin(.automatic)).text == "old")
        let error = try #require(try RecordedExchange.get(try old.origin(.http2)).error)
        #expect(error.code == .tlsFailed && error.message.contains("ALPN"), "\(error)")
        let plain = try HTTP2EchoServer()
        #expect(try RecordedExchange.get(try plain.origin(.automatic)).text == "old")
        let silent = try HTTP2EchoServer(protocols: [])
        #expect(try RecordedExchange.get(try silent.origin(.automatic)).text == "old")
        let without = try #require(try RecordedExchange.get(try silent.origin(.http2)).error)
        #expect(without.message.contains("does not offer HTTP/2"), "\(without)")
    }

    @Test func aPlainServerOfHTTP1IsCalledOne() throws {
        let server = try ScriptedOrigin { connection in
            _ = try connection.socket.readLine()
            try connection.socket.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            _ = connection.waitForEnd()
        }
        let error = try #require(try RecordedExchange.get(try server.http2()).error)
        #expect(error.code == .malformed && error.message.contains("speaks HTTP/1 there, not HTTP/2"))
    }
}
