import HTTPMessage
import NIOCore
import NIOPosix
import OriginHTTP
import TestSupport
import Testing

/// Origins that misuse HTTP/2: the connection ends, with words; nothing grows.
@Suite(.timeLimit(.minutes(1)))
struct HTTP2HostileOriginTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    /// What an origin sends without end.
    enum Flood: CaseIterable {
        case ping, settings, emptyData, priority, unknownStream, continuation, largeHead, hugeFrame

        func play(_ peer: FramePeer, _ stream: Int) throws {
            switch self {
            case .continuation:
                try peer.send(
                    FramePeer.headers, stream: stream, payload: FramePeer.block([(":status", "200")]))
                while true { try peer.send(9, stream: stream, payload: FramePeer.block([("a", "b")])) }
            case .largeHead:
                let field = FramePeer.block([("a", String(repeating: "b", count: 120))])
                try peer.send(
                    FramePeer.headers, stream: stream, payload: FramePeer.block([(":status", "200")]))
                let block = Array(repeatElement(field, count: 130).joined())
                while true { try peer.send(9, stream: stream, payload: block) }
            case .hugeFrame:
                try peer.socket.write([0xff, 0xff, 0xff, 0, 0] + FramePeer.bytes(UInt32(stream)))
                while true { try peer.socket.write([UInt8](repeating: 0, count: 16_384)) }
            default:
                if self == .emptyData { try peer.answer(stream) }
                let frames = Array(repeatElement(frame(stream), count: 100).joined())
                while true { try peer.socket.write(frames) }
            }
        }

        private func frame(_ stream: Int) -> [UInt8] {
            switch self {
            case .ping: FramePeer.frame(FramePeer.ping, payload: [UInt8](repeating: 1, count: 8))
            case .settings: FramePeer.frame(FramePeer.settings, payload: [0, 4, 0, 1, 0, 0])
            case .emptyData: FramePeer.frame(FramePeer.data, stream: stream)
            case .priority: FramePeer.frame(2, stream: stream, payload: [0, 0, 0, 0, 1])
            default: FramePeer.frame(FramePeer.reset, stream: 1, payload: [0, 0, 0, 1])
            }
        }
    }

    @Test(arguments: Flood.allCases) func aFloodEndsTheConnection(flood: Flood) throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection)
            let first = try peer.request()
            try peer.answer(first.stream, ends: true)
            try flood.play(peer, try peer.request().stream)
        }
        let origin = try server.http2()
        #expect(try RecordedExchange.get(origin, on: loop).status == 200)
        let state = try RecordedExchange.get(origin, method: "POST", on: loop)
        #expect(state.error?.code == .malformed, "\(String(describing: state.error))")
        #expect(state.error?.message.contains("127.0.0.1:\(server.port)") == true)
        #expect(!state.isEnded)
        try server.waitForEnds(1)
    }

    @Test func largeHeadsAreNoFlood() throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection)
            while true {
                let field = ("x-large", String(repeating: "v", count: 120))
                try peer.answer(
                    try peer.request().stream, 200, Array(repeating: field, count: 100), ends: true)
            }
        }
        let origin = try server.http2()
        for _ in 0..<30 { #expect(try RecordedExchange.get(origin, on: loop).status == 200) }
        #expect(server.connectionCount == 1)
    }

    @Test func moreInterimAnswersThanAnybodyNeedsAreAFault() throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection)
            let stream = try peer.request().stream
            for _ in 0..<33 { try peer.answer(stream, 103) }
            _ = connection.waitForEnd()
        }
        let state = try RecordedExchange.get(try server.http2())
        #expect(state.error?.code == .malformed && state.heads.count == 32)
    }

    @Test func aPeerThatSendsMoreThanTheWindowIsCutOff() throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection)
            let stream = try peer.request().stream
            try peer.answer(stream)
            while true {
                try peer.send(FramePeer.data, stream: stream, payload: [UInt8](repeating: 1, count: 16_384))
            }
        }
        let exchange = try RecordedExchange(
            try server.http2(), RequestHead(method: "GET", target: "/"), on: loop, pausesAtFirstByte: true)
        try server.waitForEnds(1)
        #expect(exchange.now.body.count <= 65_535)
        try exchange.resume()
        #expect(try exchange.waitForEnd().error?.code == .malformed)
    }

    @Test(arguments: [1, 7, 100]) func tinyWindowsLetEverythingThrough(window: UInt32) throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection, settings: [(4, window)])
            let stream = try peer.request().stream
            var body: [UInt8] = []
            while true {
                let frame = try peer.next(FramePeer.data, of: stream)
                #expect(frame.payload.count <= Int(window))
                body += frame.payload
                if frame.endsStream { break }
                if !frame.payload.isEmpty { try peer.openWindow(stream, by: UInt32(frame.payload.count)) }
            }
            try peer.answer(stream)
            try peer.data(stream, String(decoding: body, as: UTF8.self), ends: true)
            _ = connection.waitForEnd()
        }
        let exchange = try RecordedExchange(
            try server.http2(), RequestHead(method: "POST", target: "/"), framing: .chunked, on: loop)
        let text = String(repeating: "0123456789", count: 60)
        try exchange.send(text)
        try exchange.end()
        #expect(try exchange.waitForEnd().text == text)
    }

    @Test func aWindowBelowZeroIsWaitedFor() throws {
        let server = try ScriptedOrigin { connection in
            let peer = try FramePeer(connection, settings: [(4, 10)])
            let stream = try peer.request().stream
            #expect(try peer.next(FramePeer.data, of: stream).payload.count == 10)
            // Ten bytes are out: this makes it ten below.
            try peer.send(FramePeer.settings, payload: [0, 4, 0, 0, 0, 0])
            _ = try peer.next(FramePeer.settings)
            try peer.openWindow(stream, by: 10)
            try peer.openWindow(stream, by: 5)
            let body = try peer.body(of: stream)
            try peer.answer(stream)
            try peer.data(stream, String(decoding: body, as: UTF8.self), ends: true)
            _ = connection.waitForEnd()
        }
        let exchange = try RecordedExchange(
            try server.http2(), RequestHead(method: "POST", target: "/"), framing: .chunked, on: loop)
        try exchange.send("0123456789abcde")
        try exchange.end()
        #expect(try exchange.waitForEnd().text == "abcde")
    }

    @Test func aServerThatSaysNothingIsNotWaitedForLong() throws {
        let server = try ScriptedOrigin { connection in _ = connection.waitForEnd() }
        let origin = try server.http2(HTTPOriginOptions(connectTimeout: .milliseconds(200)))
        let error = try #require(try RecordedExchange.get(origin).error)
        #expect(error.code == .timedOut, "\(error)")
    }
}
