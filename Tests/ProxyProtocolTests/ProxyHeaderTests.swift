import NIOCore
import ProxyProtocol
import TestSupport
import Testing

/// Writes headers of version 2 by hand, right and wrong ones.
private struct Block {
    static let signature: [UInt8] = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
    ]
    var versionAndCommand: UInt8 = 0x21
    var kind: UInt8 = 0x11
    var rest: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]
    var announced: Int?

    var bytes: [UInt8] {
        let length = announced ?? rest.count
        return Self.signature + [versionAndCommand, kind, UInt8(length >> 8), UInt8(length & 0xff)] + rest
    }
}

private func read(_ bytes: [UInt8]) throws(ProxyHeaderError) -> ProxyHeader.Reading {
    try ProxyHeader.read(ByteBuffer(bytes: bytes))
}

private func ends(_ source: String, _ sourcePort: UInt16, _ target: String, _ targetPort: UInt16) throws
    -> ProxyHeader.Ends
{
    ProxyHeader.Ends(
        source: try #require(ProxyEndpoint(source, port: sourcePort)),
        destination: try #require(ProxyEndpoint(target, port: targetPort)))
}

@Suite struct ProxyHeaderTests {
    struct Good: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        /// Source and its port; nil where the header names nobody.
        let source: (String, UInt16)?
        var testDescription: String { name }
    }

    static let good: [Good] = [
        Good(
            name: "TCP4", bytes: Array("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n".utf8),
            source: ("192.0.2.1", 56324)),
        Good(
            name: "TCP6", bytes: Array("PROXY TCP6 2001:DB8::1 ::1 1 65535\r\n".utf8),
            source: ("2001:db8::1", 1)),
        Good(
            name: "TCP6 that is IPv4",
            bytes: Array("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 0 80\r\n".utf8),
            source: ("192.0.2.1", 0)),
        Good(name: "UNKNOWN", bytes: Array("PROXY UNKNOWN\r\n".utf8), source: nil),
        Good(
            name: "UNKNOWN with more",
            bytes: Array("PROXY UNKNOWN ffff:ffff ffff:ffff 65535 65535\r\n".utf8), source: nil),
        Good(name: "binary IPv4", bytes: Block().bytes, source: ("192.0.2.1", 56324)),
        Good(
            name: "binary IPv6",
            bytes: Block(
                kind: 0x21,
                rest: [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [9]
                    + [UInt8](repeating: 0, count: 15) + [1, 0, 7, 0, 80]
            ).bytes, source: ("2001:db8::9", 7)),
        Good(
            name: "binary with TLVs",
            bytes: Block(rest: Block().rest + [0x04, 0, 2, 0, 0, 0xea, 0, 0, 0x20, 0, 3, 1, 2, 3]).bytes,
            source: ("192.0.2.1", 56324)),
        Good(name: "LOCAL", bytes: Block(versionAndCommand: 0x20, kind: 0, rest: []).bytes, source: nil),
        Good(
            name: "LOCAL with what does not count",
            bytes: Block(versionAndCommand: 0x20, kind: 0xff, rest: [1, 2, 3]).bytes, source: nil),
        Good(name: "binary of no family", bytes: Block(kind: 0, rest: []).bytes, source: nil),
        Good(name: "binary over UDP", bytes: Block(kind: 0x12).bytes, source: nil),
        Good(
            name: "binary of a Unix socket",
            bytes: Block(kind: 0x31, rest: [UInt8](repeating: 0x2f, count: 216)).bytes, source: nil),
        Good(
            name: "binary as long as it may be",
            bytes: Block(
                rest: Block().rest + [0xe0, UInt8((4096 - 31) >> 8), UInt8((4096 - 31) & 0xff)]
                    + [UInt8](repeating: 7, count: 4096 - 31)
            ).bytes, source: ("192.0.2.1", 56324)),
    ]

    @Test(arguments: good)
    func isReadHoweverItIsSplit(header: Good) throws {
        let behind = Array("GET / HTTP/1.1\r\n".utf8)
        for count in 0..<header.bytes.count {
            #expect(try read(Array(header.bytes.prefix(count))) == .incomplete, "\(count) bytes")
        }
        for extra in [[], behind] {
            guard case .whole(let found, let length) = try read(header.bytes + extra) else {
                Issue.record("not whole")
                continue
            }
            #expect(length == header.bytes.count)
            #expect(found.ends?.source.addressText == header.source?.0)
            #expect(found.ends?.source.port == header.source?.1)
        }
    }

    @Test func isFoundWhereTheBufferDoesNotBeginAtItsBeginning() throws {
        var bytes = ByteBuffer(bytes: [1, 2, 3] + Block().bytes)
        bytes.moveReaderIndex(forwardBy: 3)
        #expect(
            try ProxyHeader.read(bytes)
                == .whole(ProxyHeader(ends: try ends("192.0.2.1", 56324, "198.51.100.2", 443)), length: 28))
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROPFIND / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "PROXY\tTCP4", "P\r\n",
        "\r\nGET",
        "\r\n\r\n\0\r\nQUIX", "\u{16}\u{3}\u{1}", "proxy TCP4 ",
    ])
    func whatBeginsOtherwiseIsNone(text: String) throws {
        #expect(try read(Array(text.utf8)) == .absent)
    }

    @Test(arguments: [
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 \r\n",
        "PROXY  TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 +1 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 01 443\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.2 1 443\r\n",
        "PROXY TCP4 2001:db8::1 ::1 1 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.2 1 443\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.2 1 443\r\n",
        "PROXY \r\n", "PROXY \n",
        "PROXY TCP4 192.0.2.1 198.51.100.2 1 4\u{0}3\r\n",
        "PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n",
        "PROXY " + String(repeating: "x", count: 101),
    ])
    func aLineThatMakesNoSenseIsRefused(line: String) {
        #expect(throws: ProxyHeaderError.self) { try read(Array(line.utf8)) }
    }

    @Test func aLineIsAsLongAsItMayBe() throws {
        let line = "PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n"
        #expect(line.utf8.count == 107)
        #expect(try read(Array(line.utf8)) == .whole(ProxyHeader(ends: nil), length: 107))
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
    }

    @Test(arguments: [
        Bad(testDescription: "version 1 in binary", bytes: Block(versionAndCommand: 0x11).bytes),
        Bad(testDescription: "version 3", bytes: Array(Block(versionAndCommand: 0x31).bytes.prefix(13))),
        Bad(testDescription: "command 2", bytes: Array(Block(versionAndCommand: 0x22).bytes.prefix(13))),
        Bad(testDescription: "family 4", bytes: Block(kind: 0x41).bytes),
        Bad(testDescription: "transport 3", bytes: Block(kind: 0x13).bytes),
        Bad(testDescription: "too short for IPv4", bytes: Array(Block(announced: 11).bytes.prefix(16))),
        Bad(testDescription: "too short for IPv6", bytes: Block(kind: 0x21).bytes),
        Bad(testDescription: "no room for a socket's path", bytes: Block(kind: 0x31).bytes),
        Bad(testDescription: "longer than may be", bytes: Array(Block(announced: 4081).bytes.prefix(16))),
        Bad(
            testDescription: "as long as can be said", bytes: Array(Block(announced: 65535).bytes.prefix(16))),
        Bad(testDescription: "cut in a TLV's head", bytes: Block(rest: Block().rest + [4, 0]).bytes),
        Bad(testDescription: "cut in a TLV", bytes: Block(rest: Block().rest + [4, 0, 3, 1, 2]).bytes),
        Bad(testDescription: "short checksum", bytes: Block(rest: Block().rest + [3, 0, 2, 1, 2]).bytes),
        Bad(
            testDescription: "wrong checksum", bytes: Block(rest: Block().rest + [3, 0, 4, 1, 2, 3, 4]).bytes),
    ])
    func aBlockThatMakesNoSenseIsRefused(block: Bad) {
        #expect(throws: ProxyHeaderError.self) { try read(block.bytes) }
    }

    /// Worked out by another implementation (Python's crc32c).
    @Test func aChecksumThatFitsIsTaken() throws {
        let bytes = Block(rest: Block().rest + [3, 0, 4, 0x72, 0x73, 0x87, 0x04, 4, 0, 1, 9]).bytes
        #expect(
            try read(bytes)
                == .whole(
                    ProxyHeader(ends: try ends("192.0.2.1", 56324, "198.51.100.2", 443)), length: bytes.count)
        )
    }

    @Test func whatIsWrittenIsWhatTheDocumentSays() throws {
        let header = ProxyHeader(ends: try ends("192.0.2.1", 56324, "198.51.100.2", 443))
        #expect(header.encoded(.v1) == ByteBuffer(string: "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"))
        #expect(header.encoded(.v2) == ByteBuffer(bytes: Block().bytes))
        let mixed = ProxyHeader(ends: try ends("2001:db8::1", 5, "192.0.2.1", 80))
        #expect(mixed.encoded(.v1) == ByteBuffer(string: "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 5 80\r\n"))
        #expect(ProxyHeader(ends: nil).encoded(.v1) == ByteBuffer(string: "PROXY UNKNOWN\r\n"))
        #expect(
            ProxyHeader(ends: nil).encoded(.v2)
                == ByteBuffer(bytes: Block(versionAndCommand: 0x20, kind: 0, rest: []).bytes))
    }

    @Test(arguments: ProxyHeader.Version.allCases)
    func whatIsWrittenIsReadAgain(version: ProxyHeader.Version) throws {
        var random = SplitMix64(seed: 18)
        for _ in 0..<500 {
            let ends = (0..<2).compactMap { _ in
                let address = (0..<(Bool.random(using: &random) ? 4 : 16)).map { _ in
                    // Zeros are what makes the text of an address hard.
                    Bool.random(using: &random) ? 0 : UInt8.random(in: 0...255, using: &random)
                }
                return ProxyEndpoint(address: address, port: .random(in: 0...65535, using: &random))
            }
            let header = ProxyHeader(ends: .init(source: ends[0], destination: ends[1]))
            let bytes = header.encoded(version)
            #expect(try ProxyHeader.read(bytes) == .whole(header, length: bytes.readableBytes))
        }
    }

    @Test func noBytesDoHarm() {
        var random = SplitMix64(seed: 19)
        for _ in 0..<20_000 {
            var bytes = Self.good[Int.random(in: 0..<Self.good.count, using: &random)].bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<min(bytes.count, 64), using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
            guard case .whole(_, let length)? = try? read(bytes) else { continue }
            #expect(length <= bytes.count)
        }
    }
}

@Suite struct ProxyEndpointTests {
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1", 0), ("192.0.2.1:80", "192.0.2.1", 80), (" 192.0.2.1\t", "192.0.2.1", 0),
        ("2001:db8::1", "2001:db8::1", 0), ("[2001:db8::1]", "2001:db8::1", 0),
        ("[2001:db8::1]:443", "2001:db8::1", 443), ("fe80::1%eth0", "fe80::1", 0),
        ("::ffff:192.0.2.1", "192.0.2.1", 0), ("192.0.2.1:x", "192.0.2.1", 0),
    ])
    func anEntryOfForwardedForIsRead(entry: String, address: String, port: UInt16) throws {
        let endpoint = try #require(ProxyEndpoint(entry: entry))
        #expect(endpoint.addressText == address)
        #expect(endpoint.port == port)
    }

    @Test(arguments: [
        "", "unknown", "_hidden", "192.0.2", "[2001:db8::1", "[2001:db8::1]x", "192.0.2.1, 10.0.0.1",
    ])
    func whatIsNoAddressIsNone(entry: String) {
        #expect(ProxyEndpoint(entry: entry) == nil)
    }
}
