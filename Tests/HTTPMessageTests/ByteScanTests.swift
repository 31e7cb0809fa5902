import Testing

import struct NIOCore.ByteBuffer
import struct TestSupport.SplitMix64

@testable import HTTPMessage

/// What looks at many bytes at once finds what a look at each of them does, wherever it stands and ends.
@Suite struct ByteScanTests {
    private static let longest = 70

    /// Texts of every length in which the bytes that matter are frequent, few, or next to what they are mistaken for.
    private static func texts(seed: UInt64) -> [[UInt8]] {
        var random = SplitMix64(seed: seed)
        let delicate = Array("\r\n\t\0\u{1f} ~\u{7f}:-az@[`{AZ%".utf8) + [0x80, 0xad, 0xe1, 0xff]
        return (0..<20).flatMap { round in
            (0...longest).map { length in
                (0..<length).map { _ in
                    round % 4 == 0 || Int.random(in: 0..<length, using: &random) == 0
                        ? delicate.randomElement(using: &random) ?? 0 : UInt8(ascii: "n")
                }
            }
        }
    }

    private static let seed = UInt64.random(in: 0 ... .max)

    @Test func theFirstByteIsFound() {
        for text in Self.texts(seed: Self.seed) {
            for byte in [UInt8(ascii: "\n"), UInt8(ascii: ":"), 0x80] {
                for start in [0, 1, text.count / 2] where start <= text.count {
                    let expected = text[start...].firstIndex(of: byte)
                    let found = text.withUnsafeBytes { $0.firstByte(byte, from: start) }
                    #expect(found == expected, "\(byte) from \(start) in \(text), seed \(Self.seed)")
                }
            }
        }
    }

    @Test func aTextIsFound() {
        for text in Self.texts(seed: Self.seed) {
            for token in ["na", "nn", "az", "nnnnnnnnnnnnnnnnnnn", "n:nn"].map({ Array($0.utf8) }) {
                let places = text.count - token.count
                let expected =
                    places >= 0 && (0...places).contains { text[$0...].starts(with: token) }
                let found = text.withUnsafeBytes { text in token.withUnsafeBytes { text.contains($0) } }
                #expect(found == expected, "\(token) in \(text), seed \(Self.seed)")
            }
        }
    }

    @Test func controlCharactersAndTokensAreTold() {
        for text in Self.texts(seed: Self.seed) {
            for range in [0..<text.count, text.count / 3..<text.count, 0..<text.count / 2] {
                let part = text[range]
                let hasControl = part.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7f }
                text.withUnsafeBytes {
                    #expect($0.hasControlCharacter(in: range) == hasControl, "\(part), seed \(Self.seed)")
                    #expect(
                        $0.isToken(in: range) == part.allSatisfy(\.isTokenByte), "\(part), seed \(Self.seed)")
                }
            }
        }
    }

    @Test func theEndOfALineIsFound() {
        for text in Self.texts(seed: Self.seed) {
            for start in [0, 1, text.count / 2] where start <= text.count {
                let newline = text[start...].firstIndex(of: UInt8(ascii: "\n"))
                let found = text.withUnsafeBytes { $0.lineEnd(from: start) }
                #expect(found?.newline == newline, "from \(start) in \(text), seed \(Self.seed)")
                guard let newline else { continue }
                let line = text[start..<newline]
                let rest = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
                let isPlain = !rest.contains { $0 < 0x20 || $0 == 0x7f }
                #expect(found?.isPlain == isPlain, "from \(start) in \(text), seed \(Self.seed)")
            }
        }
    }

    @Test func letterCaseAloneIsIgnored() {
        func lowercased(_ byte: UInt8) -> UInt8 { 0x41...0x5a ~= byte ? byte + 0x20 : byte }
        for length in Array(0...12) + [16, 17, 23] {
            for place in 0..<max(1, length) {
                for byte in UInt8.min...UInt8.max {
                    for other in [byte, byte ^ 0x20, byte ^ 0x80, byte &+ 1] {
                        var left = [UInt8](repeating: UInt8(ascii: "N"), count: length)
                        var right = [UInt8](repeating: UInt8(ascii: "n"), count: length)
                        if length > 0 { (left[place], right[place]) = (byte, other) }
                        let expected = left.map(lowercased) == right.map(lowercased)
                        let found = left.withUnsafeBytes { left in
                            right.withUnsafeBytes { left.equalsIgnoringCase($0) }
                        }
                        if found != expected { Issue.record("\(left) and \(right)") }
                    }
                }
            }
        }
    }

    /// However it comes: of a line that comes in two parts, the first was looked at before.
    @Test func controlCharactersAreFoundInLinesThatComeInParts() {
        let cases: [(UInt8, Bool)] = [
            (0x01, false), (0x7f, false), (0x0d, false), (0x09, true), (0x80, true),
        ]
        for (byte, isAllowed) in cases {
            for place in 0..<20 {
                var head = Array("GET / HTTP/1.1\r\nHost: a\r\nX-Long: ".utf8)
                let start = head.count
                head += Array("vvvvvvvvvvvvvvvvvvvvv\r\n\r\n".utf8)
                // Not the last one: a CR there would be the line's end.
                head[start + place] = byte
                for split in 0...head.count {
                    var (reader, buffer) = (RequestHeadReader(), ByteBuffer(bytes: head[..<split]))
                    var isRead = false
                    do {
                        isRead = try reader.next(&buffer) != nil
                        if !isRead {
                            buffer.writeBytes(head[split...])
                            isRead = try reader.next(&buffer) != nil
                        }
                    } catch {}
                    #expect(isRead == isAllowed, "\(byte) at \(place), split at \(split)")
                }
            }
        }
    }
}
