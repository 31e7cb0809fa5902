import HTTPMessage
import NIOCore
import Testing

import struct TestSupport.SplitMix64

struct BodyDecoderTests {
    static let chunked = "5\nhello\n6;ext=\"a b\"\n world\n00\nX-Sum: 42\nX-Other: 1\n\nnext".crlf

    @Test func chunkedBodiesAreReadAtEverySplit() throws {
        for pieces in everySplit(Self.chunked) {
            let body = try decodeBody(.chunked, pieces).get()
            #expect(String(decoding: body.content, as: UTF8.self) == "hello world")
            #expect(body.isWhole)
            #expect(body.trailers?.pairs.map(\.name) == ["X-Sum", "X-Other"])
            #expect(body.trailers?.first(named: "x-sum") == "42")
            #expect(body.left == "next".bytes)
        }
    }

    @Test func truncatedChunkedBodiesAreNeverWhole() {
        for length in 0..<Self.chunked.count - 4 {
            let outcome = decodeBody(.chunked, [Self.chunked[..<length]], endsInput: true)
            #expect(throws: HTTPMessageError(.truncated, "the connection ended in the middle of a body")) {
                try outcome.get()
            }
        }
    }

    @Test func withoutTrailersThereAreNone() throws {
        let body = try decodeBody(.chunked, ["0\n\n".crlf]).get()
        #expect(body == DecodedBody(isWhole: true))
    }

    struct Bad: CustomTestStringConvertible {
        let bytes: [UInt8]
        let code: HTTPMessageError.Code
        init(_ text: String, _ code: HTTPMessageError.Code = .malformed) {
            self.bytes = text.bytes
            self.code = code
        }
        var testDescription: String { String(reflecting: String(decoding: bytes.prefix(60), as: UTF8.self)) }
    }

    @Test(arguments: [
        Bad("\r\n"), Bad("g\r\n"), Bad("0x5\r\nhello\r\n"), Bad("-1\r\n"), Bad("+5\r\nhello"),
        Bad(" 5\r\nhello"), Bad("5 \r\nhello\r\n"), Bad("5\t\r\nhello\r\n"), Bad("5 ;a=b\r\nhello\r\n"),
        Bad("5\nhello\r\n"), Bad("5\r\nhello\n\n"), Bad("5\r\nhelloX\n"), Bad("5\r\nhello\r\r"),
        Bad("5\r\r\nhello"),
        Bad("5 5\r\nhello\r\n"), Bad("5,\r\nhello\r\n"), Bad("5;a\0\r\nhello\r\n"),
        Bad("5;a\rb\r\nhello\r\n"),
        Bad("ffffffffffffffff\r\n"), Bad("7fffffffffffffff\r\n"), Bad("0000000000000001\r\na\r\n"),
        Bad("0\n\n"), Bad("0\r\nA: b\n\r\n"), Bad("0\r\nA : b\r\n\r\n"), Bad("0\r\n A: b\r\n\r\n"),
        Bad("0\r\nA\r\n\r\n"), Bad("0\r\nA: \0\r\n\r\n"),
        Bad("5;" + String(repeating: "x", count: 4096) + "\r\n"),
        Bad("0\r\n" + String(repeating: "A: b\r\n", count: 129) + "\r\n", .headTooLarge),
        Bad("0\r\nA: " + String(repeating: "b", count: 65 << 10) + "\r\n\r\n", .headTooLarge),
    ])
    func malformedChunksAreRefused(_ bad: Bad) {
        let splits = bad.bytes.count < 200 ? everySplit(bad.bytes) : [[bad.bytes[...]]]
        for pieces in splits {
            switch decodeBody(.chunked, pieces) {
            case .success(let body): Issue.record("accepted: \(body)")
            case .failure(let error): #expect(error.code == bad.code)
            }
        }
    }

    /// Of origins: callers' are refused, as above.
    @Test(arguments: ["5 \r\nhello\r\n0\r\n\r\n", "5\t;a=b\nhello\n0  \n\n", "5\nhello\r\n0\nA: b\n\n"])
    func whatOriginsWriteOddlyIsRead(_ text: String) throws {
        for pieces in everySplit(text.bytes) {
            let body = try decodeBody(.chunked, pieces, isLenient: true).get()
            #expect(body.content == "hello".bytes)
            #expect(body.isWhole)
        }
    }

    @Test func hugeChunksAreHandedOnWithoutWaitingForTheirEnd() throws {
        let body = try decodeBody(.chunked, ["fffffffffffffff\r\nabc".bytes]).get()
        #expect(body == DecodedBody(content: "abc".bytes))
    }

    @Test func endlessChunkLinesAreRefused() {
        let pieces = [[UInt8]](repeating: [UInt8(ascii: "1"), UInt8(ascii: ";")], count: 2048)
        #expect(throws: HTTPMessageError(.malformed, "chunk-size line too long")) {
            try decodeBody(.chunked, pieces).get()
        }
    }

    @Test func knownLengthsEndByThemselvesAndLeaveTheRest() throws {
        for pieces in everySplit("hello world".bytes) {
            let body = try decodeBody(.length(5), pieces).get()
            #expect(body == DecodedBody(content: "hello".bytes, isWhole: true, left: " world".bytes))
        }
    }

    @Test(arguments: 0..<5) func shortBodiesAreTruncated(length: Int) {
        #expect(throws: HTTPMessageError.self) {
            try decodeBody(.length(5), ["hello".bytes.prefix(length)], endsInput: true).get()
        }
    }

    @Test func nothingIsReadWithoutABody() throws {
        for framing in [BodyFraming.none, .length(0)] {
            let body = try decodeBody(framing, ["GET".bytes]).get()
            #expect(body == DecodedBody(isWhole: true, left: "GET".bytes))
        }
    }

    @Test func closeDelimitedBodiesEndWithTheConnection() throws {
        let open = try decodeBody(.untilClose, ["abc".bytes, "def".bytes]).get()
        #expect(open == DecodedBody(content: "abcdef".bytes))
        let closed = try decodeBody(.untilClose, ["abc".bytes, "def".bytes], endsInput: true).get()
        #expect(closed == DecodedBody(content: "abcdef".bytes, isWhole: true))
    }

    @Test func chunksSurviveARoundTrip() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SplitMix64(seed: seed)
        let pieces = (0..<50).map { _ in generator.bytes(Int(generator.next() % 5000) + 1) }
        var wire = ByteBuffer()
        for piece in pieces {
            wire.writeChunkSize(piece.count)
            wire.writeBytes(piece)
            wire.writeString("\r\n")
        }
        let trailers = HeaderFields([.date: "now"])
        wire.writeLastChunk(trailers: trailers)
        let body = try decodeBody(.chunked, [wire.readableBytesView]).get()
        #expect(
            body == DecodedBody(content: Array(pieces.joined()), isWhole: true, trailers: trailers),
            "seed \(seed)")
    }
}

/// Chunks of a byte cost their reader more than their sender: what is behind them must not be done for each.
struct SmallChunkTests {
    private func parts(_ text: String, isLenient: Bool = false) throws -> [BodyDecoder.Part] {
        var decoder = BodyDecoder(.chunked, isLenient: isLenient)
        var buffer = ByteBuffer(string: text)
        var parts: [BodyDecoder.Part] = []
        while let part = try decoder.next(&buffer) { parts.append(part) }
        return parts
    }

    @Test(arguments: ["\r\n", "\n"]) func thoseThatCameTogetherAreHandedOnTogether(_ newline: String) throws {
        let chunks = String(repeating: "1\(newline)x\(newline)", count: 50)
        let parts = try parts(chunks + "0\(newline)\(newline)", isLenient: newline == "\n")
        #expect(
            parts == [16, 16, 16, 2].map { .bytes(ByteBuffer(string: String(repeating: "x", count: $0))) }
                + [.end(trailers: nil)])
    }

    @Test func whatCameBeforeNonsenseIsHandedOn() throws {
        var decoder = BodyDecoder(.chunked)
        var buffer = ByteBuffer(string: "1\r\na\r\n2\r\nbc\r\nz\r\n")
        #expect(try decoder.next(&buffer) == .bytes(ByteBuffer(string: "abc")))
        #expect(throws: HTTPMessageError.self) { try decoder.next(&buffer) }
    }

    @Test func largeOnesStayAsTheyCame() throws {
        let large = String(repeating: "y", count: 0x500)
        let parts = try parts("500\r\n\(large)\r\n1\r\na\r\n500\r\n\(large)\r\n")
        #expect(parts == [large, "a", large].map { .bytes(ByteBuffer(string: $0)) })
    }
}
