import HTTPMessage
import NIOCore
import Testing

import struct TestSupport.SplitMix64

/// Damaged messages: nothing crashes or hangs, and how the bytes were cut never changes what is read.
@Suite(.timeLimit(.minutes(1)))
struct RandomInputTests {
    static let templates = [
        RequestHeadTests.whole, BodyDecoderTests.chunked,
        "POST /x HTTP/1.1\nHost: a\nContent-Length: 5\nTransfer-Encoding: chunked\n\nhello".crlf,
        "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 12\n\nhello".crlf,
        "a;b=c\n0123456789\n0\nX: y\n\n".crlf,
    ]
    static let delicate = Array("\r\n\0 \t:;,0aF/\u{7f}".utf8)

    @Test func damagedInputReadsTheSameHoweverItIsCut() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<1500 {
            let bytes = damaged(&random)
            let pieces = cut(bytes, &random)
            let limits = HTTPLimits(
                headBytes: Int.random(in: 1...120, using: &random), fieldCount: 3,
                startLineBytes: Int.random(in: 1...40, using: &random))
            #expect(
                readRequests(pieces, limits: limits) == readRequests([bytes], limits: limits), "seed \(seed)")
            #expect(
                readResponses(pieces, limits: limits) == readResponses([bytes], limits: limits),
                "seed \(seed)")
            #expect(
                decodeBody(.chunked, pieces, limits: limits) == decodeBody(.chunked, [bytes], limits: limits),
                "seed \(seed)")
        }
    }

    @Test func garbageNeverCrashes() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        var refused = 0
        for _ in 0..<2000 {
            let garbage = random.bytes(Int.random(in: 0...300, using: &random))
            if case .refused = readRequests([garbage]) { refused += 1 }
            _ = readResponses([garbage])
            _ = decodeBody(.chunked, [garbage])
        }
        #expect(refused > 0, "seed \(seed)")
    }

    private func damaged(_ random: inout SplitMix64) -> [UInt8] {
        var bytes = Self.templates.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.remove(at: index)
            case 1: bytes.insert(Self.delicate.randomElement(using: &random) ?? 0, at: index)
            case 2: bytes[index] = Self.delicate.randomElement(using: &random) ?? 0
            default: bytes[index] = UInt8(truncatingIfNeeded: random.next())
            }
        }
        return bytes
    }

    private func cut(_ bytes: [UInt8], _ random: inout SplitMix64) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let length = Int.random(in: 1...min(rest.count, 8), using: &random)
            pieces.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        return pieces
    }
}
