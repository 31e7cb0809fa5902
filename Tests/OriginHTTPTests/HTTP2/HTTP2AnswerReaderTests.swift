import HTTPMessage
import Testing

@testable import OriginHTTP

extension HTTP2AnswerReader {
    @discardableResult
    fileprivate mutating func take(_ fields: [(String, String)], isLast: Bool) throws -> Event {
        try headers(fields.map { (name: $0.0, value: $0.1) }, isLast: isLast)
    }
}

/// Answers read out of frames, without a connection.
struct HTTP2AnswerReaderTests {
    private typealias Fields = [(name: String, value: String)]

    private func head(
        _ fields: Fields, method: String = "GET", isLast: Bool = false
    ) throws -> (ResponseHead, BodyFraming) {
        var reader = HTTP2AnswerReader(method: method)
        guard case .head(let head, let framing) = try reader.headers(fields, isLast: isLast) else {
            throw Unexpected()
        }
        return (head, framing)
    }

    private struct Unexpected: Error {}

    @Test func theEndOfABodyIsKnownByItsLengthOrItsFrame() throws {
        #expect(try head([(":status", "200")]).1 == .chunked)
        #expect(try head([(":status", "200")], isLast: true).1 == .none)
        #expect(try head([(":status", "200"), ("content-length", "7")]).1 == .length(7))
        #expect(try head([(":status", "200"), ("content-length", "0")]).1 == .none)
        #expect(try head([(":status", "204")]).1 == .none)
        #expect(try head([(":status", "304"), ("content-length", "7")], isLast: true).1 == .none)
        let (answer, framing) = try head(
            [(":status", "200"), ("content-length", "7")], method: "HEAD", isLast: true)
        #expect(framing == .none && answer.fields[.contentLength] == "7")
    }

    @Test func whatBelongsToAConnectionOfHTTP1IsPassedOver() throws {
        let (answer, framing) = try head([
            (":status", "404"), ("connection", "close"), ("transfer-encoding", "chunked"), ("a", "b"),
            ("upgrade", "h2c"), ("keep-alive", "1"),
        ])
        #expect(answer.fields.pairs.map(\.name) == ["a"] && framing == .chunked)
        #expect(answer.reason == "Not Found")
    }

    @Test(arguments: [
        [], [("a", "b")], [(":status", "20")], [(":status", "2000")], [(":status", "099")],
        [(":status", "101")], [(":status", "200"), (":status", "200")], [("a", "b"), (":status", "200")],
        [(":status", "200"), (":path", "/")], [(":status", "200"), ("A", "b")],
        [(":status", "200"), ("a b", "c")],
        [(":status", "200"), ("a", "b\r\nc: d")], [(":status", "200"), ("a", " b")],
        [(":status", "200"), ("", "b")],
        [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
        [(":status", "200"), ("content-length", "x")],
    ]) func aHeadThatMakesNoSenseIsRefused(fields: [(String, String)]) {
        #expect(throws: HTTPMessageError.self) { try head(fields.map { (name: $0.0, value: $0.1) }) }
    }

    @Test func interimHeadsComeBeforeTheFinalOneAndAreBounded() throws {
        var reader = HTTP2AnswerReader(method: "GET")
        for _ in 0..<32 { _ = try reader.take([(":status", "103")], isLast: false) }
        #expect(throws: HTTPMessageError.self) { try reader.take([(":status", "103")], isLast: false) }
        var other = HTTP2AnswerReader(method: "GET")
        #expect(throws: HTTPMessageError.self) { try other.take([(":status", "100")], isLast: true) }
    }

    @Test func bodiesAreHeldToTheirLength() throws {
        var reader = HTTP2AnswerReader(method: "GET")
        #expect(throws: HTTPMessageError.self) { try reader.data(1, isLast: false) }
        _ = try reader.take([(":status", "200"), ("content-length", "3")], isLast: false)
        try reader.data(2, isLast: false)
        #expect(throws: HTTPMessageError.self) { try reader.data(2, isLast: false) }
        #expect(throws: HTTPMessageError.self) { try reader.data(0, isLast: true) }
        try reader.data(1, isLast: true)
        #expect(reader.isOver)
        #expect(throws: HTTPMessageError.self) { try reader.data(0, isLast: true) }
    }

    @Test func trailersEndTheAnswer() throws {
        var reader = HTTP2AnswerReader(method: "POST")
        _ = try reader.take([(":status", "200")], isLast: false)
        try reader.data(5, isLast: false)
        #expect(throws: HTTPMessageError.self) { try reader.take([("a", "b")], isLast: false) }
        #expect(throws: HTTPMessageError.self) { try reader.take([(":status", "200")], isLast: true) }
        let event = try reader.take([("grpc-status", "0")], isLast: true)
        guard case .trailers(let trailers) = event else { throw Unexpected() }
        #expect(trailers.first(named: "grpc-status") == "0" && reader.isOver)
    }

    @Test func tooManyFieldsAreRefused() {
        let fields = [(name: ":status", value: "200")] + (0..<257).map { (name: "a\($0)", value: "b") }
        #expect(throws: HTTPMessageError.self) { try head(fields) }
    }
}

/// Requests written as frames have them, without a connection.
struct HTTP2RequestHeadTests {
    private func fields(
        _ head: RequestHead, limits: HTTP2RequestHead.Limits = HTTP2RequestHead.Limits()
    ) throws -> [String] {
        let request = try OutgoingRequest(head, framing: .none, authority: "o:80")
        return try HTTP2RequestHead.fields(of: request, scheme: "http", limits: limits)
            .map { "\($0.name): \($0.value)" }
    }

    @Test func namesAreInLowerCaseAndTheHostIsTheAuthority() throws {
        var head = RequestHead(method: "OPTIONS", target: "*")
        head.fields.append(.host, "elsewhere")
        head.fields.append(named: "X-Mixed", "Value")
        #expect(
            try fields(head) == [
                ":method: OPTIONS", ":scheme: http", ":path: *", ":authority: o:80", "x-mixed: Value",
            ])
    }

    @Test func onlyTrailersOfTEGoOn() throws {
        var head = RequestHead(method: "GET", target: "/")
        head.fields.append(.te, "gzip;q=0.5, trailers")
        #expect(try fields(head).last == "te: trailers")
        head.fields.remove(.te)
        head.fields.append(.te, "gzip")
        #expect(try fields(head).count == 4)
    }

    @Test func whatIsLargerThanTheOriginTakesIsRefused() throws {
        var head = RequestHead(method: "GET", target: "/")
        head.fields.append(named: "a", String(repeating: "b", count: 10_000))
        #expect(try fields(head).count == 5)
        #expect(throws: OriginError.self) { try fields(head, limits: .init(listBytes: 9000)) }
        head.fields.append(named: "c", String(repeating: "d", count: 10_000))
        #expect(throws: OriginError.self) { try fields(head) }
        #expect(try fields(head, limits: .init(frameBytes: 1 << 20)).count == 6)
    }
}
