import NIOCore
import Testing

@testable import TunnelProtocol

/// Answers as the tunnel server reads them.
@Suite struct MessageAnswerTests {
    struct Example: CustomTestStringConvertible {
        var testDescription: String
        var method = "GET"
        var answer: String
        var story: [String]
        /// Whether it ends where the message does, so that no end is too early.
        var isUntilClose = false
    }

    static let examples = [
        Example(
            testDescription: "with a length", answer: "HTTP/1.1 200 OK|A: b|Content-Length: 10||0123456789",
            story: [
                "1 response HTTP/1.1 200 OK|A: b|Content-Length: 10||", "1 data 0123456789", "1 end",
            ]),
        Example(
            testDescription: "chunked, with trailers",
            answer: "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4;x=y|0123|6|456789|0|T: u|Host: no||",
            story: [
                "1 response HTTP/1.1 200 OK|Transfer-Encoding: chunked||", "1 data 0123456789",
                "1 trailers T: u|",
            ]),
        Example(
            testDescription: "chunked and empty", answer: "HTTP/1.1 200 OK|Transfer-Encoding: chunked||0||",
            story: ["1 response HTTP/1.1 200 OK|Transfer-Encoding: chunked||", "1 end"]),
        Example(
            testDescription: "up to the end of the message", answer: "HTTP/1.0 200 OK|A: b||0123456789",
            story: ["1 response HTTP/1.1 200 OK|A: b||", "1 data 0123456789", "1 end"], isUntilClose: true),
        Example(
            testDescription: "to HEAD", method: "HEAD", answer: "HTTP/1.1 200 OK|Content-Length: 10||",
            story: ["1 response HTTP/1.1 200 OK|Content-Length: 10|| last"]),
        Example(
            testDescription: "204", answer: "HTTP/1.1 204 No Content|A: b||",
            story: ["1 response HTTP/1.1 204 No Content|A: b|| last"]),
        Example(
            testDescription: "304 with the length of what is not sent",
            answer: "HTTP/1.1 304 Not Modified|Content-Length: 10||",
            story: ["1 response HTTP/1.1 304 Not Modified|Content-Length: 10|| last"]),
        Example(
            testDescription: "of no length", answer: "HTTP/1.1 200 OK|Content-Length: 0||",
            story: ["1 response HTTP/1.1 200 OK|Content-Length: 0|| last"]),
        Example(
            testDescription: "an odd phrase", answer: "HTTP/1.1 299 what: you <like>, é|Content-Length: 0||",
            story: ["1 response HTTP/1.1 299 what: you <like>, é|Content-Length: 0|| last"]),
        Example(
            testDescription: "no phrase", answer: "HTTP/1.1 404|Content-Length: 0||",
            story: ["1 response HTTP/1.1 404 |Content-Length: 0|| last"]),
        Example(
            testDescription: "after interim heads",
            answer: "HTTP/1.1 100 Continue||HTTP/1.1 103 Early|A: b||HTTP/1.1 200 OK|Content-Length: 2||hi",
            story: ["1 response HTTP/1.1 200 OK|Content-Length: 2||", "1 data hi", "1 end"]),
    ]

    private func probe(_ method: String = "GET") throws -> MessageProbe {
        let probe = try MessageProbe(.opener)
        #expect(probe.open("\(method) / HTTP/1.1|Host: a||") == StreamID(1))
        #expect(probe.written().count == 1)
        return probe
    }

    private func checkThatNothingIsLeft(_ probe: MessageProbe) throws {
        probe.forget(StreamID(1))
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0 && probe.unreadCount == 0)
        #expect(probe.budget.taken == 0 && !probe.isBlocked && !probe.isOccupied)
        // And the tunnel lives.
        let id = try #require(probe.open())
        let number = try #require(probe.written().first).dropFirst().prefix(4)
        #expect(try probe.receive(number + "HTTP/1.1 204 No Content||").count == 1)
        #expect(probe.machine.streams[id] == nil)
    }

    @Test(arguments: examples) func anAnswerIsTheSameHoweverItIsCutIntoFragments(_ example: Example) throws {
        let text = "0001" + example.answer
        let length = wire(text).readableBytes
        for split in 0...length {
            let probe = try probe(example.method)
            var seen: [SessionEvent] = []
            for half in halves(wire(text), at: split) { seen += try probe.receive(half) }
            seen += try probe.endMessage()
            #expect(MessageProbe.story(seen) == example.story, "cut at \(split)")
            try checkThatNothingIsLeft(probe)
        }
        for size in [1, 2, 3, 7] {
            let probe = try probe(example.method)
            #expect(try probe.receive(text, inPiecesOf: size) == example.story, "pieces of \(size)")
            try checkThatNothingIsLeft(probe)
        }
    }

    @Test(arguments: examples) func anAnswerThatBreaksOffNeverLooksWhole(_ example: Example) throws {
        let bytes = wire("0001" + example.answer)
        let whole = String(buffer: bytes)
        let headEnd = try #require(whole.range(of: "\r\n\r\n", last: example.isUntilClose)).utf8Offset(
            in: whole)
        for length in 4..<(example.isUntilClose ? headEnd : bytes.readableBytes) {
            let probe = try probe(example.method)
            let raw = try probe.receive(halves(bytes, at: length)[0]) + probe.endMessage()
            let seen = MessageProbe.story(raw)
            let code = seen.contains { $0.hasPrefix("1 response") } ? "originFailed" : "malformedMessage"
            #expect(seen.last == "1 reset \(code)", "\(length) bytes")
            #expect(
                !seen.contains {
                    $0.hasSuffix(" last") || $0.hasPrefix("1 end") || $0.hasPrefix("1 trailers")
                })
            try checkThatNothingIsLeft(probe)
        }
    }

    @Test(arguments: ["", "0", "000"]) func aMessageWithoutANumberEndsTheSession(_ text: String) throws {
        let probe = try probe()
        #expect(throws: MessageError.numberMissing) { try probe.receive(text) }
    }

    @Test(arguments: ["HTTP", "000AHTTP/1.1 200 OK||", "\u{0}\u{0}\u{0}\u{1}"])
    func aMessageThatBeginsWithSomethingElseEndsTheSession(_ text: String) throws {
        let probe = try probe()
        #expect(throws: MessageError.numberMissing) { try probe.receive(text) }
    }

    @Test(arguments: [
        "nonsense", "HTTP/2.0 200 OK||", "HTTP/1.1 20 OK||", "HTTP/1.1 200 OK|no colon||",
        "HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Connection: Upgrade||",
        "HTTP/1.1 200 OK|Content-Length: 1|Content-Length: 2||ab",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Content-Length: 2||ab",
        "HTTP/1.1 200 OK|Transfer-Encoding: gzip||ab", "HTTP/1.1 100 Continue||", "||", "",
        "HTTP/1.1 200 OK|A: " + String(repeating: "x", count: 90_000) + "||",
    ])
    func anAnswerThatMakesNoSenseHarmsNoOther(_ answer: String) throws {
        for size in [1000, .max] {
            let probe = try probe()
            #expect(try probe.receive("0001" + answer, inPiecesOf: size) == ["1 reset malformedMessage"])
            try checkThatNothingIsLeft(probe)
        }
    }

    @Test(arguments: ["x|", "5|abc|", "fffffffffffffffff|", "2|abc|", "1|a|0|no colon||"])
    func aBodyThatMakesNoSenseIsTold(_ body: String) throws {
        let probe = try probe()
        let seen = try probe.receive("0001HTTP/1.1 200 OK|Transfer-Encoding: chunked||" + body)
        #expect(seen.last == "1 reset originFailed")
        try checkThatNothingIsLeft(probe)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK|Content-Length: 2||hi and more", "HTTP/1.1 204 No Content||more",
        "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|hi|0||0002HTTP/1.1 200 OK||",
    ])
    func whatIsBehindTheBodyIsDropped(_ answer: String) throws {
        for size in [1, .max] {
            let probe = try probe()
            let seen = try probe.receive("0001" + answer, inPiecesOf: size)
            #expect(!seen.joined().contains("more") && !seen.joined().contains("0002"))
            #expect(seen.last.map { $0 == "1 end" || $0.hasSuffix(" last") } == true)
            try checkThatNothingIsLeft(probe)
        }
    }

    @Test func answersComeInAnyOrder() throws {
        let probe = try MessageProbe(.opener)
        let ids = (0..<3).compactMap { _ in probe.open() }
        _ = probe.written()
        for number in [3, 1, 2] {
            let story = ["\(ids[number - 1]) response HTTP/1.1 200 OK|Content-Length: 0|| last"]
            #expect(try probe.receive("000\(number)HTTP/1.1 200 OK|Content-Length: 0||") == story)
        }
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0)
    }

    @Test func anAnswerThatNobodyWaitsForIsDropped() throws {
        let probe = try probe()
        let answer = "HTTP/1.1 200 OK|Content-Length: 2||hi"
        #expect(try probe.receive("0002" + answer) == [])
        #expect(try probe.receive("ffff" + answer, inPiecesOf: 1) == [])
        #expect(try probe.receive("0002") == [])
        #expect(try probe.receive("0001" + answer).count == 3)
        #expect(try probe.receive("0001" + answer) == [], "the second to one request")
        try checkThatNothingIsLeft(probe)
    }

    @Test func anAnswerBeforeItsRequestIsDropped() throws {
        let probe = try MessageProbe(.opener)
        #expect(probe.open() == StreamID(1))
        #expect(try probe.receive("0001HTTP/1.1 200 OK|Content-Length: 0||") == [])
        #expect(probe.written().count == 1)
        #expect(try probe.receive("0001HTTP/1.1 204 No Content||").count == 1)
    }

    @Test func anAnswerMayComeBeforeItsRequestIsWhole() throws {
        var limits = SessionLimits()
        limits.minimumWindow = 10
        limits.v1.maximumSpilledBytes = 0
        let probe = try MessageProbe(.opener, limits: limits, budget: 0)
        let id = try #require(probe.open("POST / HTTP/1.1|Host: a|Content-Length: 60||", isLast: false))
        probe.send(id, String(repeating: "x", count: 40))
        #expect(probe.written().count == 1)
        #expect(
            try probe.receive("0001HTTP/1.1 403 Forbidden|Content-Length: 0||").last?.hasSuffix("last")
                == true)
        #expect(probe.streamCount == 1)
        // The caller's exchange lets go of what is not needed: the message is cut.
        probe.reset(id, .noError)
        #expect(probe.written() == [">"])
        try checkThatNothingIsLeft(probe)
    }
}

extension String {
    fileprivate func range(of text: String, last: Bool) -> Range<String.Index>? {
        let ranges = ranges(of: text)
        return last ? ranges.first : ranges.last
    }
}

extension Range<String.Index> {
    fileprivate func utf8Offset(in text: String) -> Int {
        text.utf8.distance(from: text.startIndex, to: upperBound)
    }
}
