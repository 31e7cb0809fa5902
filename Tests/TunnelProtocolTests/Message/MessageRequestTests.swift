import NIOCore
import Testing

@testable import TunnelProtocol

/// Requests as the tunnel server writes them.
@Suite struct MessageRequestTests {
    struct Example: CustomTestStringConvertible {
        var testDescription: String
        var head: String
        var body: String?
        var written: String
    }

    static let examples = [
        Example(
            testDescription: "no body", head: "GET /a?b HTTP/1.1|Host: a||",
            written: "<0001GET /a?b HTTP/1.1|Host: a||>"),
        Example(
            testDescription: "HTTP/1.0 without Host", head: "GET / HTTP/1.0||",
            written: "<0001GET / HTTP/1.1|Host: ||>"),
        Example(
            testDescription: "hop-by-hop fields",
            head: "GET / HTTP/1.1|Connection: keep-alive, x-mine|Host: a|Keep-Alive: 5|TE: trailers|X-Mine: 1"
                + "|Proxy-Authorization: Basic x|Upgrade: h2c|Trailer: A|A: b||",
            written: "<0001GET / HTTP/1.1|Host: a|A: b||>"),
        Example(
            testDescription: "a body with its length", head: "POST / HTTP/1.1|Host: a|Content-Length: 3||",
            body: "abc", written: "<0001POST / HTTP/1.1|Host: a|Content-Length: 3||abc>"),
        Example(
            testDescription: "a body without its length",
            head: "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||", body: "hello, world, hello",
            written: "<0001POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||13|hello, world, hello|0||>"),
        Example(
            testDescription: "an upgrade that is no WebSocket",
            head:
                "GET / HTTP/1.1|Host: a|Connection: Upgrade, HTTP2-Settings|Upgrade: h2c|HTTP2-Settings: x||",
            written: "<0001GET / HTTP/1.1|Host: a||>"),
        Example(
            testDescription: "a per cent sign that escapes nothing",
            head: "GET /%zz/%/%4/%41?%zz HTTP/1.1|Host: a||",
            written: "<0001GET /%25zz/%25/%254/%41?%zz HTTP/1.1|Host: a||>"),
    ]

    @Test(arguments: examples) func aRequestIsOneWholeMessage(_ example: Example) throws {
        let probe = try MessageProbe(.opener)
        let id = try #require(probe.open(example.head, isLast: example.body == nil))
        if let body = example.body {
            #expect(probe.send(id, body))
            #expect(probe.written() == [])
            probe.finish(id)
        }
        #expect(probe.written() == [example.written])
        #expect(probe.streamCount == 1)
        #expect(probe.budget.taken == 0)
    }

    @Test func trailersHaveNoPlaceInARequest() throws {
        let probe = try MessageProbe(.opener)
        let id = try #require(probe.open("POST / HTTP/1.1|Host: a||", isLast: false))
        probe.finish(id, trailers: "A: b|")
        #expect(probe.written() == ["<0001POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||0||>"])
    }

    @Test func whoWaitsForAWordBeforeItsBodyGetsItHere() throws {
        let probe = try MessageProbe(.opener)
        let id = try #require(
            probe.open("PUT / HTTP/1.1|Host: a|Expect: 100-Continue|Content-Length: 1||", isLast: false))
        #expect(try probe.events() == ["\(id) interim HTTP/1.1 100 Continue||"])
        probe.send(id, "x")
        probe.finish(id)
        #expect(probe.written() == ["<0001PUT / HTTP/1.1|Host: a|Content-Length: 1||x>"])
    }

    @Test func whoSendsNoBodyNeedsNoWord() throws {
        let probe = try MessageProbe(.opener)
        #expect(probe.open("GET / HTTP/1.1|Host: a|Expect: 100-continue||") != nil)
        #expect(try probe.events() == [])
        #expect(probe.written() == ["<0001GET / HTTP/1.1|Host: a||>"])
    }

    @Test func aWebSocketIsRefusedWithoutUsingUpANumber() throws {
        let probe = try MessageProbe(.opener)
        let id = try #require(
            probe.open("GET / HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: WebSocket||", isLast: false))
        #expect(try probe.events() == ["\(id) reset upgradeUnsupported"])
        #expect(probe.streamCount == 0 && !probe.hasSomethingToWrite)
        #expect(probe.open() != nil)
        #expect(probe.written() == ["<0001GET / HTTP/1.1|Host: a||>"])
    }

    @Test func whatIsNoRequestIsNotOpened() throws {
        let probe = try MessageProbe(.opener)
        #expect(probe.open("HTTP/1.1 200 OK||") == nil)
        #expect(probe.open("GET / HTTP/1.1|Host: a|") == nil)
        #expect(probe.streamCount == 0 && !probe.hasSomethingToWrite)
    }

    @Test func aClientOpensNothing() throws {
        #expect(try MessageProbe(.acceptor).open() == nil)
    }

    // MARK: Numbers

    @Test func theCountGoesOnAtZeroAfterTheLastNumber() throws {
        let probe = try MessageProbe(.opener, numbers: [31_998])
        for _ in 0..<4 { #expect(probe.open() != nil) }
        #expect(probe.written().map { $0.prefix(5) } == ["<7cfe", "<7cff", "<0000", "<0001"])
    }

    @Test func aNumberInUseIsSkipped() throws {
        let probe = try MessageProbe(.opener, numbers: [7, 7, 7, 8, 7, 8, 9])
        for _ in 0..<3 { #expect(probe.open() != nil) }
        #expect(probe.written().map { $0.prefix(5) } == ["<0007", "<0008", "<0009"])
    }

    @Test func noMoreStreamsAreOpenedThanAllowed() throws {
        var limits = SessionLimits()
        limits.v1.maximumStreams = 2
        let probe = try MessageProbe(.opener, limits: limits)
        let first = try #require(probe.open())
        #expect(probe.open() != nil)
        #expect(probe.open() == nil)
        probe.reset(first)
        #expect(probe.open() != nil)
    }

    @Test func aPeerThatDoesNotAnswerIsLeftBeforeTheNumbersRunOut() throws {
        let probe = try MessageProbe(.opener)
        for _ in 0..<15_999 {
            let id = try #require(probe.open())
            _ = probe.frame()
            probe.reset(id)
        }
        let last = try #require(probe.open())
        _ = probe.frame()
        #expect(!probe.isDraining)
        #expect(try probe.events() == [])
        #expect(probe.open() == nil)
        #expect(probe.isDraining && !probe.isDrained)
        #expect(try probe.events() == ["draining"], "who chooses among sessions must know")
        #expect(probe.open() == nil)
        #expect(try probe.events() == [], "once is enough")
        try probe.receive("3e80HTTP/1.1 204 No Content||")
        #expect(probe.isDrained)
        #expect(last.rawValue == 16_000)
    }

    // MARK: Too large

    private func limits(_ longest: Int) -> SessionLimits {
        var limits = SessionLimits()
        limits.v1.maximumMessageBytes = longest
        limits.v1.maximumSpilledBytes = 0
        return limits
    }

    @Test func aLengthThatIsTooLargeIsRefusedAtOnce() throws {
        let head = "POST / HTTP/1.1|Host: a|Content-Length: 900||"
        let longest = 4 + wire(head).readableBytes + 900
        let fits = try MessageProbe(.opener, limits: limits(longest))
        #expect(fits.open(head, isLast: false) != nil)
        #expect(try fits.events() == [])
        let probe = try MessageProbe(.opener, limits: limits(longest - 1))
        let id = try #require(probe.open(head, isLast: false))
        #expect(try probe.events() == ["\(id) reset requestTooLarge"])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0 && !probe.hasSomethingToWrite)
    }

    @Test func aBodyThatGrowsTooLargeIsDropped() throws {
        let probe = try MessageProbe(.opener, limits: limits(10_000))
        let id = try #require(probe.open("POST / HTTP/1.1|Host: a||", isLast: false))
        #expect(probe.send(id, bytes: bytes(6000)))
        #expect(probe.send(id, bytes: bytes(6000)))
        #expect(try probe.events() == ["\(id) reset requestTooLarge"])
        probe.send(id, bytes: bytes(6000))
        probe.finish(id)
        #expect(probe.written() == [])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0)
    }

    @Test func aBodyThatGrowsTooLargeOnItsWayIsCut() throws {
        var limits = limits(10_000)
        limits.minimumWindow = 1000
        let probe = try MessageProbe(.opener, limits: limits, budget: 0)
        let id = try #require(probe.open("POST / HTTP/1.1|Host: a||", isLast: false))
        #expect(!probe.send(id, bytes: bytes(6000)))
        #expect(probe.written().count == 1)
        #expect(try probe.events() == ["\(id) writable"])
        probe.send(id, bytes: bytes(6000))
        #expect(try probe.events() == ["\(id) reset requestTooLarge"])
        #expect(probe.written() == [">"])
        #expect(!probe.isOccupied)
        // An answer may still come, and is nobody's.
        #expect(try probe.receive("0001HTTP/1.1 413 Content Too Large||") == [])
        #expect(probe.numbersInUse == 0)
    }

    /// An old client closes the whole tunnel for one byte too many, the end of a chunked body included.
    @Test func noMessageIsEverLongerThanAllowed() throws {
        for size in 800...1000 {
            let probe = try MessageProbe(.opener, limits: limits(1000))
            let id = try #require(probe.open("POST / HTTP/1.1|Host: a||", isLast: false))
            probe.send(id, bytes: bytes(size))
            probe.finish(id)
            let wasRefused = try probe.events() == ["\(id) reset requestTooLarge"]
            let written = probe.written().map { wire($0).readableBytes - 2 }
            #expect(written.isEmpty == wasRefused, "\(size) bytes")
            #expect(written.allSatisfy { $0 <= 1000 }, "\(size) bytes")
            if size == 800 { #expect(!wasRefused) }
            if size == 1000 { #expect(wasRefused) }
        }
    }

    /// An old client takes a broken head for a reason to leave.
    @Test func aHeadIsNeverCut() throws {
        let probe = try MessageProbe(.opener)
        let head =
            "POST / HTTP/1.1|Host: a|A: " + String(repeating: "x", count: 10_000) + "|Content-Length: 4||"
        let id = try #require(probe.open(head, isLast: false))
        probe.send(id, "body")
        probe.finish(id)
        let first = try #require(probe.frame(budget: 10))
        #expect(first.hasPrefix("<0001" + head) && !first.hasSuffix(">"))
        #expect(probe.frame(budget: 1)?.count == 1, "a body is cut as the carrier likes")
        probe.reset(id)
        #expect(probe.written() == [">"])
    }
}
