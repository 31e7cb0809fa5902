import HTTPMessage
import NIOCore
import Testing

@testable import OriginHTTP

struct ResponseParserTests {
    /// What came, with the bytes of a body joined.
    struct Received: Equatable {
        var statuses: [Int] = []
        var body = ""
        var isWhole = false
        var allowsReuse = false
        var error: HTTPMessageError.Code?
    }

    private func parse(
        _ pieces: [Substring.UTF8View], method: String = "GET", upgrade: UpgradeOffer = UpgradeOffer(),
        end: Bool? = nil
    ) -> Received {
        var parser = ResponseParser(method: method, upgrade: upgrade)
        var received = Received()
        func take(_ event: ResponseParser.Event) {
            switch event {
            case .head(let head, _): received.statuses.append(head.status)
            case .bytes(let bytes): received.body += String(buffer: bytes)
            case .end: received.isWhole = true
            }
        }
        do throws(HTTPMessageError) {
            for piece in pieces {
                parser.feed(ByteBuffer(bytes: piece))
                while let event = try parser.next() { take(event) }
            }
            if let end, let event = try parser.endOfInput(isClean: end) { take(event) }
        } catch {
            received.error = error.code
        }
        received.allowsReuse = parser.ended().allowsReuse
        return received
    }

    private static func offer(_ text: String) -> UpgradeOffer {
        RequestHead(
            method: "GET", target: "/", fields: HeaderFields([.connection: "upgrade", .upgrade: text])
        ).upgradeOffer
    }

    /// The fields as they go on.
    @Test(arguments: [
        ("Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: 3\r\n"),
        ("A: b\r\nContent-Length: 007\r\n", "A: b\r\nContent-Length: 7\r\n"),
        ("Content-Length: 5, 5\r\nA: b\r\n", "A: b\r\nContent-Length: 5\r\n"),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n"),
        ("content-length: 0\r\n", "content-length: 0\r\n"),
    ])
    func aLengthGoesOnOnceAndInItsPlainForm(fields: String, expected: String) throws {
        var parser = ResponseParser(method: "GET", upgrade: UpgradeOffer())
        parser.feed(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\(fields)\r\n"))
        guard case .head(let head, _)? = try parser.next() else {
            Issue.record("no head")
            return
        }
        var text = ByteBuffer()
        head.fields.write(to: &text)
        #expect(String(buffer: text) == expected)
    }

    @Test(arguments: [(256, nil), (257, HTTPMessageError.Code.headTooLarge)])
    func anOriginMaySendManyFields(count: Int, error: HTTPMessageError.Code?) {
        let fields = (0..<count).map { "F\($0): x\r\n" }.joined()
        #expect(parse(["HTTP/1.1 204 No\r\n\(fields)\r\n"[...].utf8]).error == error)
    }

    struct Example: CustomTestStringConvertible {
        let wire: String
        var method = "GET"
        /// What the request offers.
        var upgrade: String?
        var end: Bool?
        let expected: Received
        var testDescription: String {
            "\(method) \(String(reflecting: wire)) end: \(String(describing: end))"
        }
    }

    @Test(arguments: [
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            expected: Received(statuses: [200], body: "hello", isWhole: true, allowsReuse: true)),
        Example(
            wire: "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            expected: Received(statuses: [103, 100, 204], isWhole: true, allowsReuse: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method: "HEAD",
            expected: Received(statuses: [200], isWhole: true, allowsReuse: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            expected: Received(statuses: [200], isWhole: true)),
        Example(
            wire: "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
            expected: Received(statuses: [200], body: "x", isWhole: true)),
        Example(
            wire:
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            expected: Received(statuses: [200], body: "x", isWhole: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n",
            expected: Received(statuses: [200], body: "x", isWhole: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\n\r\nabc", end: true,
            expected: Received(statuses: [200], body: "abc", isWhole: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\n\r\nabc", end: false,
            expected: Received(statuses: [200], body: "abc", error: .truncated)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", end: true,
            expected: Received(statuses: [200], body: "abc", error: .truncated)),
        Example(wire: "HTTP/1.1 200 OK\r\nConte", end: true, expected: Received(error: .truncated)),
        Example(wire: "", end: true, expected: Received(error: .truncated)),
        Example(
            wire: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nraw", upgrade: "X, y", end: true,
            expected: Received(statuses: [101], body: "raw", isWhole: true)),
        Example(
            wire: "HTTP/1.1 101 Switching\r\nUpgrade: y, x\r\n\r\nraw", upgrade: "x, y", end: false,
            expected: Received(statuses: [101], body: "raw", error: .truncated)),
        Example(
            wire: "HTTP/1.1 101 Switching\r\n\r\nraw", upgrade: "x", expected: Received(error: .malformed)),
        Example(
            wire: "HTTP/1.1 101 Switching\r\nUpgrade: x, z\r\n\r\nraw", upgrade: "x, y",
            expected: Received(error: .malformed)),
        Example(
            wire: "HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\nraw", upgrade: "h2c, websocket",
            expected: Received(error: .malformed)),
        Example(
            wire: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nraw", expected: Received(error: .malformed)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            expected: Received(statuses: [200], body: "abc", isWhole: true, allowsReuse: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 3, 3,03\r\n\r\nabc",
            expected: Received(statuses: [200], body: "abc", isWhole: true, allowsReuse: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabc", expected: Received(error: .malformed)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: ,\r\n\r\nabc", expected: Received(error: .malformed)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc", expected: Received(error: .malformed)),
        Example(
            wire:
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            expected: Received(statuses: [200], body: "x", isWhole: true)),
        Example(
            wire: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\nx\n2;a=b\r\nyz\n0\nA: b\n\n",
            expected: Received(statuses: [200], body: "xyz", isWhole: true, allowsReuse: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\n0\r\n\r\n",
            expected: Received(statuses: [200], body: "x", error: .malformed)),
        Example(
            wire: "HTTP/1.1 204 No\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            expected: Received(statuses: [204], isWhole: true, allowsReuse: true)),
        Example(
            wire: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            expected: Received(error: .malformed)),
        Example(wire: "SSH-2.0-OpenSSH\r\n", end: true, expected: Received(error: .truncated)),
        Example(wire: "SSH-2.0-OpenSSH\r\n\r\n", expected: Received(error: .malformed)),
    ])
    func responsesAreReadAtEverySplit(_ example: Example) {
        let wire = example.wire[...]
        var splits = wire.utf8.indices.map { [wire.utf8[..<$0], wire.utf8[$0...]] }
        splits.append([wire.utf8])
        splits.append(wire.utf8.indices.map { wire.utf8[$0...$0] })
        for pieces in splits {
            let received = parse(
                pieces.map { Substring($0).utf8 }, method: example.method,
                upgrade: example.upgrade.map(Self.offer) ?? UpgradeOffer(), end: example.end)
            #expect(received == example.expected)
        }
    }
}
