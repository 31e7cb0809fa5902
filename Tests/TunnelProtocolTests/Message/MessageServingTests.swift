import NIOCore
import Testing

@testable import TunnelProtocol

/// Requests as the tunnel client reads them, and the answers that it writes.
@Suite struct MessageServingTests {
    struct Example: CustomTestStringConvertible {
        var testDescription: String
        var request: String
        var story: [String]
    }

    static let examples = [
        Example(
            testDescription: "no body", request: "GET /a?b HTTP/1.1|Host: a||",
            story: ["1 request GET /a?b HTTP/1.1|Host: a|| last"]),
        Example(
            testDescription: "hop-by-hop fields",
            request: "GET / HTTP/1.1|Connection: close, x-mine|Host: a|X-Mine: 1|TE: trailers|A: b||",
            story: ["1 request GET / HTTP/1.1|Host: a|A: b|| last"]),
        Example(
            testDescription: "an upgrade",
            request: "GET / HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: h2c||",
            story: ["1 request GET / HTTP/1.1|Host: a|| last"]),
        Example(
            testDescription: "a body of no length", request: "POST / HTTP/1.1|Host: a|Content-Length: 0||",
            story: ["1 request POST / HTTP/1.1|Host: a|Content-Length: 0|| last"]),
        Example(
            testDescription: "with a length", request: "POST / HTTP/1.1|Host: a|Content-Length: 5||hello",
            story: ["1 request POST / HTTP/1.1|Host: a|Content-Length: 5||", "1 data hello", "1 end"]),
        Example(
            testDescription: "chunked",
            request: "POST / HTTP/1.1|Transfer-Encoding: chunked|Host: a||2|he|3|llo|0||",
            story: ["1 request POST / HTTP/1.1|Host: a||", "1 data hello", "1 end"]),
        Example(
            testDescription: "chunked, with trailers",
            request: "POST / HTTP/1.1|Transfer-Encoding: chunked|Host: a||5|hello|0|A: b|X-Token: c||",
            story: ["1 request POST / HTTP/1.1|Host: a||", "1 data hello", "1 trailers A: b|"]),
        Example(
            testDescription: "bytes behind the body",
            request: "POST / HTTP/1.1|Host: a|Content-Length: 2||hi more",
            story: ["1 request POST / HTTP/1.1|Host: a|Content-Length: 2||", "1 data hi", "1 end"]),
    ]

    @Test(arguments: examples) func aRequestIsTheSameHoweverItIsCutIntoFragments(_ example: Example) throws {
        let text = "7cff" + example.request
        let length = wire(text).readableBytes
        for split in 0...length {
            let probe = try MessageProbe(.acceptor)
            var seen: [SessionEvent] = []
            for half in halves(wire(text), at: split) { seen += try probe.receive(half) }
            seen += try probe.endMessage()
            #expect(MessageProbe.story(seen) == example.story, "cut at \(split)")
        }
        let probe = try MessageProbe(.acceptor)
        #expect(try probe.receive(text, inPiecesOf: 1) == example.story)
        probe.respond(StreamID(1), "HTTP/1.1 204 No Content||", isLast: true)
        #expect(probe.written() == ["<7cffHTTP/1.1 204 No Content||>"])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0)
        probe.forget(StreamID(1))
        #expect(probe.budget.taken == 0 && probe.unreadCount == 0)
    }

    @Test(arguments: [
        "nonsense", "", "GET / HTTP/1.1|Host: a|", "GET / HTTP/1.1\nHost: a\n\n", "GET  HTTP/1.1||",
        "GET / HTTP/2.0||", "GET / HTTP/1.1|no colon||",
        "POST / HTTP/1.1|Content-Length: 1|Transfer-Encoding: chunked||",
        "POST / HTTP/1.1|Transfer-Encoding: gzip||", "POST / HTTP/1.1|Content-Length: x||",
        "GET / HTTP/1.1|A: " + String(repeating: "x", count: 90_000) + "||",
    ])
    func aHeadThatMakesNoSenseIsAnsweredAndTheTunnelLives(_ request: String) throws {
        for size in [1000, .max] {
            let probe = try MessageProbe(.acceptor)
            #expect(try probe.receive("0009" + request, inPiecesOf: size) == [])
            let answer = probe.written()
            #expect(answer.count == 1)
            #expect(answer.first?.hasPrefix("<0009HTTP/1.1 400 Bad Request|Content-Type: text/plain") == true)
            #expect(answer.first?.hasSuffix("\n>") == true)
            #expect(probe.streamCount == 0 && probe.numbersInUse == 0)
            #expect(try probe.receive("0009GET / HTTP/1.1|Host: a||").count == 1)
        }
    }

    @Test func aRequestThatBreaksOffIsTold() throws {
        let full = wire("0001POST / HTTP/1.1|Host: a|Content-Length: 5||hello")
        for length in full.readableBytes - 4..<full.readableBytes {
            let probe = try MessageProbe(.acceptor)
            _ = try probe.receive(halves(full, at: length)[0])
            #expect(MessageProbe.story(try probe.endMessage()) == ["1 reset malformedMessage"])
            #expect(probe.written().first?.hasPrefix("<0001HTTP/1.1 400 ") == true)
            #expect(probe.streamCount == 0 && probe.numbersInUse == 0)
        }
    }

    @Test func tooManyRequestsAtOnceAreTurnedAway() throws {
        var limits = SessionLimits()
        limits.v1.maximumStreams = 2
        let probe = try MessageProbe(.acceptor, limits: limits)
        for number in 1...2 { #expect(try probe.receive("000\(number)GET / HTTP/1.1|Host: a||").count == 1) }
        #expect(try probe.receive("0003HEAD / HTTP/1.1|Host: a||") == [])
        #expect(try probe.receive("0004POST / HTTP/1.1|Host: a|Content-Length: 2||hi") == [])
        let answers = probe.written()
        #expect(answers.map { $0.prefix(17) } == ["<0003HTTP/1.1 503", "<0004HTTP/1.1 503"])
        #expect(answers.map { $0.hasSuffix("||>") } == [true, false], "HEAD has no body")
        #expect(probe.streamCount == 2)
        probe.respond(StreamID(1), "HTTP/1.1 204 No Content||", isLast: true)
        _ = probe.written()
        #expect(try probe.receive("0003GET / HTTP/1.1|Host: a||").count == 1)
    }

    @Test func aRequestWhoseNumberComesRoundAgainIsGivenUp() throws {
        let probe = try MessageProbe(.acceptor)
        try probe.receive("0001GET /old HTTP/1.1|Host: a||")
        #expect(
            try probe.receive("0001GET /new HTTP/1.1|Host: a||") == [
                "1 reset cancelled", "2 request GET /new HTTP/1.1|Host: a|| last",
            ])
        probe.respond(StreamID(1), "HTTP/1.1 204 No Content||", isLast: true)
        #expect(probe.written() == [])
        probe.respond(StreamID(2), "HTTP/1.1 204 No Content||", isLast: true)
        #expect(probe.written() == ["<0001HTTP/1.1 204 No Content||>"])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0)
    }

    @Test func anAnswerOnItsWayGoesOnWhenItsNumberComesRoundAgain() throws {
        let probe = try MessageProbe(.acceptor)
        try probe.receive("0001GET /old HTTP/1.1|Host: a||")
        probe.respond(StreamID(1), liveAnswer)
        #expect(probe.written() == ["<0001" + liveBegin])
        #expect(
            try probe.receive("0001GET /new HTTP/1.1|Host: a||") == [
                "2 request GET /new HTTP/1.1|Host: a|| last"
            ])
        probe.respond(StreamID(2), "HTTP/1.1 204 No Content||", isLast: true)
        probe.send(StreamID(1), "hi")
        probe.finish(StreamID(1))
        #expect(probe.written() == ["2|hi|0||>", "<0001HTTP/1.1 204 No Content||>"])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0)
    }

    // MARK: Answers

    private func taken(_ method: String = "GET") throws -> MessageProbe {
        let probe = try MessageProbe(.acceptor)
        try probe.receive("0001\(method) / HTTP/1.1|Host: a||")
        return probe
    }

    @Test(
        arguments: [
            ("GET", "HTTP/1.1 200 OK|Content-Length: 2||", "hi", "HTTP/1.1 200 OK|Content-Length: 2||hi"),
            (
                "GET", "HTTP/1.1 200 OK|Connection: x-a|X-A: b|Keep-Alive: 3||", "hi",
                "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|hi|0||"
            ),
            ("GET", "HTTP/1.1 200 OK||", nil, "HTTP/1.1 200 OK|Content-Length: 0||"),
            ("HEAD", "HTTP/1.1 200 OK|Content-Length: 9||", nil, "HTTP/1.1 200 OK|Content-Length: 9||"),
            ("HEAD", "HTTP/1.1 200 OK||", nil, "HTTP/1.1 200 OK||"),
            ("GET", "HTTP/1.1 204 No Content||", nil, "HTTP/1.1 204 No Content||"),
            (
                "GET", "HTTP/1.1 304 Not Modified|Content-Length: 9||", nil,
                "HTTP/1.1 304 Not Modified|Content-Length: 9||"
            ),
        ] as [(String, String, String?, String)])
    func anAnswerIsOneWholeMessage(_ method: String, _ head: String, _ body: String?, _ written: String)
        throws
    {
        let probe = try taken(method)
        probe.respond(StreamID(1), "HTTP/1.1 103 Early|A: b||", isInterim: true)
        probe.respond(StreamID(1), head, isLast: body == nil)
        probe.respond(StreamID(1), "HTTP/1.1 500 Twice||", isLast: true)
        if let body { probe.send(StreamID(1), body) }
        probe.finish(StreamID(1), trailers: "A: b|")
        #expect(probe.written() == ["<0001\(written)>"])
        #expect(probe.streamCount == 0 && probe.numbersInUse == 0)
    }

    @Test func anOriginThatSpeaksNoHTTPIsAFailure() throws {
        let probe = try taken()
        probe.respond(StreamID(1), "nonsense||")
        #expect(probe.written().first?.hasPrefix("<0001HTTP/1.1 400 ") == true)
        #expect(probe.streamCount == 0)
    }

    @Test func aLoneLiveAnswerIsSentAsItComes() throws {
        let probe = try taken()
        probe.respond(StreamID(1), "HTTP/1.1 200 OK|Content-Type: text/event-stream||")
        #expect(
            probe.written() == [
                "<0001HTTP/1.1 200 OK|Content-Type: text/event-stream|Transfer-Encoding: chunked||"
            ])
        for _ in 0..<3 {
            probe.send(StreamID(1), "data: 1\n\n")
            #expect(probe.written() == ["9|data: 1\n\n|"])
        }
        probe.finish(StreamID(1))
        #expect(probe.written() == ["0||>"])
        #expect(try probe.events() == [])
    }

    @Test func answersThatAreWholeGoFirst() throws {
        let probe = try taken()
        try probe.receive("0002GET / HTTP/1.1|Host: a||")
        probe.respond(StreamID(1), liveAnswer)
        probe.send(StreamID(1), "slow")
        #expect(probe.written() == [])
        probe.respond(StreamID(2), "HTTP/1.1 204 No Content||", isLast: true)
        #expect(probe.frame() == "<0002HTTP/1.1 204 No Content||>")
        // And now it is alone.
        #expect(probe.written() == ["<0001" + liveBegin + "4|slow|"])
    }

    @Test func aLiveAnswerWaitsForItsPatience() throws {
        let probe = try taken()
        try probe.receive("0002GET / HTTP/1.1|Host: a||")
        probe.tick()
        #expect(probe.written() == ["ping"])
        probe.respond(StreamID(1), liveAnswer)
        #expect(try probe.events() == [])
        #expect(probe.urgency == .seconds(1))
        probe.advance(.milliseconds(999))
        probe.tick()
        #expect(!probe.hasSomethingToWrite)
        probe.advance(.milliseconds(1))
        probe.tick()
        #expect(probe.written() == ["<0001" + liveBegin])
        #expect(try probe.events() == [])
        #expect(probe.urgency == nil, "nobody waits for it yet")
    }

    @Test func anAnswerThatCannotBeKeptAnyLongerIsSent() throws {
        var limits = SessionLimits()
        (limits.minimumWindow, limits.v1.maximumStoredBytes) = (1000, 4000)
        limits.v1.maximumSpilledBytes = 0
        for budget in [0, 1000, 10_000] {
            let probe = try MessageProbe(.acceptor, limits: limits, budget: budget)
            for number in 1...2 { try probe.receive("000\(number)GET / HTTP/1.1|Host: a||") }
            probe.respond(StreamID(1), "HTTP/1.1 200 OK|Content-Length: 99999||")
            var kept = 0
            while probe.send(StreamID(1), bytes: bytes(100)), kept < 100_000 {
                #expect(!probe.hasSomethingToWrite)
                kept += 100
            }
            let most = [0: 1000, 1000: 2000, 10_000: 4000][budget] ?? 0
            #expect((most - 200...most).contains(kept), "\(kept) of \(most)")
            #expect(probe.budget.taken == most - 1000)
            #expect(probe.written().count == 1)
            #expect(try probe.events() == ["1 writable"])
            #expect(probe.budget.taken == 0, "what is on its way keeps little")
        }
    }

    @Test func littleIsKeptOfAMessageWithoutBeingDrawn() throws {
        var limits = SessionLimits()
        limits.v1.maximumSpilledBytes = 0
        let probe = try MessageProbe(.acceptor, limits: limits, budget: 0)
        try probe.receive("0001GET / HTTP/1.1|Host: a||")
        probe.respond(StreamID(1), "HTTP/1.1 200 OK|Content-Length: 99999||")
        var kept = 0
        while probe.send(StreamID(1), bytes: bytes(100)), kept < 100_000 { kept += 100 }
        #expect((15 << 10...16 << 10).contains(kept))
    }

    @Test func whatWasKeptIsGivenBackWhenItIsSent() throws {
        var limits = SessionLimits()
        (limits.minimumWindow, limits.v1.maximumStoredBytes) = (1000, 4000)
        let probe = try MessageProbe(.opener, limits: limits)
        let id = try #require(probe.open("POST / HTTP/1.1|Host: a|Content-Length: 2000||", isLast: false))
        #expect(probe.send(id, bytes: bytes(2000)))
        probe.finish(id)
        #expect(probe.budget.taken == 3000)
        _ = probe.written()
        #expect(probe.streamCount == 1 && probe.budget.taken == 0, "though the answer is still to come")
    }
}
