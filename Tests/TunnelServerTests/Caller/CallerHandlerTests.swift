import HTTPMessage
import HTTPServing
import NIOCore
import NIOEmbedded
import Testing
import TunnelConfiguration
import TunnelProtocol

@testable import TunnelServer

/// A caller's connection on an embedded channel: bytes in, bytes out, the clock moved by hand.
@Suite struct CallerHandlerTests {
    private static let ok = "200 OK|Content-Length: 2"

    // MARK: Requests and answers

    @Test func requestsAreAnsweredOneAfterAnother() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask("/first")
            try caller.ask("/second")
            #expect(tunnel.opened.map { $0.head.prefix(11) } == ["GET /first "])
            tunnel.answer(0, Self.ok)
            tunnel.send(0, "ok")
            #expect(try caller.received().hasSuffix("||ok"))
            #expect(tunnel.opened.count == 2 && tunnel.opened[1].head.hasPrefix("GET /second "))
            tunnel.answer(1, Self.ok)
            tunnel.send(1, "ko")
            #expect(try caller.received().hasSuffix("||ko"))
            #expect(caller.isOpen && tunnel.resets.isEmpty)
        }
    }

    @Test func aTargetInAbsoluteFormGoesToTheTunnelAsAPath() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask("http://a/x?y")
            #expect(tunnel.opened.map { $0.head.prefix(11) } == ["GET /x?y HT"])
        }
    }

    @Test func anAnswerOfOurOwnSaysThatTheConnectionStays() throws {
        try EmbeddedServer.run { server in
            let caller = try server.caller()
            for (version, field) in [("0", "|Connection: keep-alive|"), ("1", nil)] {
                try caller.send("GET /_health_check HTTP/1.\(version)|Host: a|Connection: keep-alive||")
                let answer = try caller.received()
                #expect(field.map { answer.contains($0) } ?? !answer.contains("Connection"))
                #expect(caller.isOpen)
            }
        }
    }

    @Test func manyRequestsInOnePacketAreAllAnswered() throws {
        try EmbeddedServer.run { server in
            let caller = try server.caller()
            try caller.send(String(repeating: "GET /_health_check HTTP/1.1|Host: a||", count: 75))
            for _ in 0..<9 { server.advance(.milliseconds(1)) }
            #expect(try caller.statuses() == Array(repeating: 200, count: 75))
            #expect(caller.isOpen)
        }
    }

    /// Who sends a lot of small things has its turn behind the others, and is not read from until then.
    @Test func whoSendsMoreThanItsShareWaitsForItsTurn() throws {
        try EmbeddedServer.run { server in
            let caller = try server.caller()
            let reads = caller.reads
            let requests = String(repeating: "GET /_health_check HTTP/1.1\r\nHost: a\r\n\r\n", count: 21)
            // Without the turn that `send` would let pass.
            caller.channel.pipeline.fireChannelRead(ByteBuffer(string: requests))
            caller.read()
            #expect(caller.reads == reads)
            server.advance(.milliseconds(1))
            #expect(caller.reads == reads + 1)
            #expect(try caller.statuses().count == 21)
        }
    }

    @Test func aBodyFlowsAndIsFollowedByTheNextRequest() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask("/", "Transfer-Encoding: chunked|", body: "3|abc|")
            try caller.send("2|de|0||GET /_health_check HTTP/1.1|Host: a||")
            #expect(tunnel.requestBody == "abcde" && tunnel.requestEnds == 1)
            #expect(try caller.statuses().isEmpty)
            tunnel.answer(0, Self.ok)
            tunnel.send(0, "ok")
            #expect(try caller.statuses() == [200, 200])
        }
    }

    @Test func anAnswerWithoutALengthIsChunkedAndKeepsItsTrailersPlace() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            tunnel.answer(0, "200 OK|Date: x")
            tunnel.send(0, "abc")
            let text = try caller.received().lowercased()
            #expect(text == "http/1.1 200 ok|date: x|transfer-encoding: chunked||3|abc|0||")
        }
    }

    @Test func interimHeadsGoBeforeTheAnswer() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            tunnel.answer(0, "103 Early Hints|Link: x")
            tunnel.answer(0, "204 No Content", isLast: true)
            #expect(try caller.statuses() == [103, 204])
        }
    }

    @Test func nonsenseIsAnsweredAndEndsTheConnection() throws {
        try EmbeddedServer.run { server in
            for text in ["nonsense||", "\u{16}\u{3}\u{1}", "PROXY TCP4 1 2 3 4||"] {
                let caller = try server.caller()
                try caller.send(text)
                #expect(try caller.statuses() == [400])
                #expect(!caller.isOpen && !caller.isClosed)
                server.advance(.seconds(2))
                #expect(caller.isClosed)
            }
        }
    }

    @Test func aBodyThatBreaksHTTPEndsTheOriginsExchange() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask("/", "Transfer-Encoding: chunked|", body: "x|")
            #expect(try caller.statuses() == [400])
            #expect(!caller.isOpen && tunnel.resets == [.cancelled])
        }
    }

    @Test func aCallerThatLeavesEndsTheOriginsExchange() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            try caller.leave()
            #expect(tunnel.resets == [.cancelled])
            #expect(server.core.connections.size.callers == 0)
        }
    }

    /// Exchange and connection know each other while one is under way.
    @Test(arguments: ["idle", "asked", "answered", "raw", "cut"])
    func nothingIsKeptOfAConnectionThatIsOver(when: String) throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            weak var handler: CallerHandler?
            do {
                let caller = try server.caller()
                handler = try caller.handler
                if when == "raw" {
                    try caller.send(
                        "GET / HTTP/1.1|Host: a|X-Token: \(TestTokens.first.secret)|Connection: Upgrade|Upgrade: x||"
                    )
                    tunnel.answer(0, "101 Switching Protocols|Connection: Upgrade|Upgrade: x")
                } else if when != "idle" {
                    try caller.ask()
                    if when != "asked" { tunnel.answer(0, "200 OK|Content-Length: 9") }
                    if when == "cut" { tunnel.reset(0, .originFailed) }
                }
                try server.run()
                try caller.leave()
            }
            try server.run()
            #expect(handler == nil)
        }
    }

    // MARK: An answer before the end of its request

    @Test func theRestOfASmallRequestIsDroppedAndTheNextServed() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask("/", "Content-Length: 10|", body: "12345")
            tunnel.answer(0, Self.ok)
            tunnel.send(0, "no")
            #expect(!(try caller.received().lowercased().contains("connection: close")))
            #expect(tunnel.resets == [.noError])
            try caller.send("67890GET /_health_check HTTP/1.1|Host: a||")
            #expect(try caller.statuses() == [200])
            #expect(caller.isOpen)
        }
    }

    @Test func theRestIsNotWaitedForLongerThanAHead() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask("/", "Content-Length: 10|", body: "12345")
            tunnel.answer(0, Self.ok)
            tunnel.send(0, "no")
            #expect(try caller.statuses() == [200])
            server.advance(.seconds(9))
            #expect(caller.isOpen)
            server.advance(.seconds(1))
            #expect(!caller.isOpen && !caller.isClosed)
        }
    }

    @Test(arguments: [
        "Content-Length: 100000|", "Transfer-Encoding: chunked|", "Expect: 100-continue|Content-Length: 10|",
    ])
    func aLargeOrUnknownRestEndsTheConnection(fields: String) throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask("/", fields)
            tunnel.answer(0, Self.ok)
            tunnel.send(0, "no")
            #expect(try caller.received().lowercased().contains("connection: close"))
            #expect(!caller.isOpen)
        }
    }

    // MARK: Time

    @Test func whoSaysNothingIsClosedWithoutAWordAndHalfAHeadIsAnswered() throws {
        try EmbeddedServer.run { server in
            let silent = try server.caller()
            let slow = try server.caller()
            server.advance(.seconds(5))
            try slow.send("GET / HT")
            server.advance(.seconds(5))
            #expect(silent.isClosed)
            #expect(try silent.received() == "" && slow.isOpen)
            // Bytes now and then do not put the end off.
            try slow.send("TP")
            server.advance(.seconds(4))
            #expect(slow.isOpen)
            server.advance(.seconds(1))
            #expect(try slow.statuses() == [408])
            server.advance(.seconds(2))
            #expect(slow.isClosed)
        }
    }

    @Test func whoWasAnsweredMayBeSilentForLonger() throws {
        try EmbeddedServer.run { server in
            let caller = try server.caller()
            for _ in 0..<3 {
                try caller.send("GET /_health_check HTTP/1.1|Host: a||")
                #expect(try caller.statuses() == [200])
                server.advance(.seconds(74))
                #expect(caller.isOpen)
            }
            server.advance(.seconds(1))
            #expect(caller.isClosed)
        }
    }

    @Test func anExchangeThatStallsIsAnsweredAndOneThatBeganIsCut() throws {
        try EmbeddedServer.run(configuration: { $0.times.stall = .seconds(60) }) { server in
            let tunnel = try server.tunnel()
            let waiting = try server.caller()
            let begun = try server.caller()
            try waiting.ask()
            try begun.ask()
            tunnel.answer(1, "200 OK|Content-Length: 9")
            #expect(try begun.statuses() == [200])
            server.advance(.seconds(59))
            #expect(waiting.isOpen && begun.isOpen)
            server.advance(.seconds(1))
            #expect(try waiting.statuses() == [504])
            #expect(waiting.isOpen && !begun.isOpen)
            #expect(tunnel.resets == [.cancelled, .cancelled])
        }
    }

    // MARK: Slow readers

    @Test func aCallerThatDoesNotReadHoldsTheStreamBackAndThenGoesOn() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            tunnel.answer(0, "200 OK|Content-Length: 5")
            tunnel.send(0, "12", isLast: false)
            #expect(try caller.received().hasSuffix("12"))
            try caller.setReading(false)
            tunnel.send(0, "345")
            try caller.send("GET /_health_check HTTP/1.1|Host: a||")
            #expect(try caller.received() == "")
            let reads = caller.reads
            caller.read()
            #expect(caller.reads == reads)
            try caller.setReading(true)
            let text = try caller.received()
            #expect(text.hasPrefix("345HTTP/1.1 200") && caller.reads == reads + 1)
        }
    }

    @Test func aCallerThatNeverReadsIsCutOff() throws {
        try EmbeddedServer.run(configuration: { $0.times.stall = .seconds(60) }) { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            tunnel.answer(0, "200 OK|Content-Length: 5")
            #expect(try caller.statuses() == [200])
            try caller.setReading(false)
            tunnel.send(0, "12345")
            try server.run()
            server.advance(.seconds(60))
            #expect(!caller.isClosed)
            server.advance(.seconds(60))
            #expect(caller.isClosed)
        }
    }

    // MARK: Broken answers

    @Test func aDelimitedAnswerThatBreaksOffIsClosedAndAnOpenOneReset() throws {
        for (version, isDelimited) in [("1.1", true), ("1.0", false)] {
            try EmbeddedServer.run { server in
                let tunnel = try server.tunnel()
                let caller = try server.caller()
                try caller.send("GET / HTTP/\(version)|Host: a|X-Token: \(TestTokens.first.secret)||")
                tunnel.answer(0, "200 OK")
                tunnel.send(0, "abc", isLast: false)
                #expect(try caller.statuses() == [200])
                tunnel.reset(0, .originFailed)
                try server.run()
                // What is reset has a moment to be read.
                #expect(caller.isOpen == !isDelimited && !caller.isClosed)
                server.advance(.milliseconds(250))
                #expect(caller.isClosed == !isDelimited)
            }
        }
    }

    @Test func aLostSessionIsToldAtOnce() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            tunnel.breakDown()
            #expect(try caller.statuses() == [502])
            #expect(caller.isOpen)
        }
    }

    // MARK: Upgrades

    private static func upgraded(_ server: EmbeddedServer) throws -> (EmbeddedTunnel, EmbeddedCaller) {
        let tunnel = try server.tunnel()
        let caller = try server.caller()
        try caller.send(
            "GET / HTTP/1.1|Host: a|X-Token: \(TestTokens.first.secret)|Connection: Upgrade|Upgrade: x||")
        tunnel.answer(0, "101 Switching Protocols|Connection: Upgrade|Upgrade: x")
        #expect(try caller.statuses() == [101])
        return (tunnel, caller)
    }

    @Test func anUpgradedConnectionCarriesBytesAndEndsDirectionByDirection() throws {
        try EmbeddedServer.run { server in
            let (tunnel, caller) = try Self.upgraded(server)
            try caller.send("ping")
            tunnel.send(0, "pong", isLast: false)
            #expect(try caller.received() == "pong")
            #expect(tunnel.requestBody == "ping")
            // No time limit.
            server.advance(.minutes(50))
            try caller.endOutput()
            #expect(tunnel.requestEnds == 1 && caller.isOpen)
            tunnel.send(0, "bye")
            #expect(try caller.received() == "bye")
            #expect(caller.isClosed && tunnel.resets.isEmpty)
        }
    }

    @Test func anUpgradedConnectionWhoseOriginBreaksOffIsReset() throws {
        try EmbeddedServer.run { server in
            let (tunnel, caller) = try Self.upgraded(server)
            tunnel.reset(0, .originFailed)
            try server.run()
            #expect(!caller.isClosed)
            server.advance(.milliseconds(250))
            #expect(caller.isClosed)
        }
    }

    // MARK: Leaving

    @Test func aConnectionWhoseListenerIsGoneLeavesBehindItsNextAnswer() throws {
        try EmbeddedServer.run { server in
            let caller = try server.caller()
            let callers = server.core.connections
            for caller in callers.callers(by: 2) { caller.connection.value.leave() }
            try caller.send("GET /_health_check HTTP/1.1|Host: a||")
            #expect(!(try caller.received().lowercased().contains("connection: close")))
            for caller in callers.callers(by: 1) { caller.connection.value.leave() }
            #expect(caller.isOpen)
            try caller.send("GET /_health_check HTTP/1.1|Host: a||")
            #expect(try caller.received().lowercased().contains("connection: close"))
            #expect(!caller.isOpen)
        }
    }

    @Test func aServerThatStopsWaitsAMomentForARequestOnItsWay() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let (silent, asking, busy) = (try server.caller(), try server.caller(), try server.caller())
            try busy.ask()
            server.core.stopTakingRequests()
            var arrived: [Int] = []
            for (index, caller) in [silent, asking, busy].enumerated() {
                try caller.handler.stop().assumeIsolated().whenSuccess { arrived.append(index) }
            }
            #expect(arrived == [2])
            try asking.send("GET /_health_check HTTP/1.1|Host: a||")
            #expect(try asking.received().lowercased().contains("connection: close"))
            #expect(arrived == [2, 1] && !asking.isOpen && silent.isOpen)
            server.advance(.seconds(1))
            #expect(arrived == [2, 1, 0] && silent.isClosed)
            tunnel.answer(0, Self.ok)
            tunnel.send(0, "ok")
            #expect(try busy.received().lowercased().contains("connection: close"))
        }
    }

    @Test func anAnswerThatHadPromisedToStayBringsOneMoreRequest() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let caller = try server.caller()
            try caller.ask()
            tunnel.answer(0, Self.ok)
            #expect(try caller.statuses() == [200])
            server.core.stopTakingRequests()
            var hasArrived = false
            try caller.handler.stop().assumeIsolated().whenSuccess { hasArrived = true }
            #expect(!hasArrived)
            tunnel.send(0, "ok")
            #expect(try caller.received() == "ok")
            #expect(caller.isOpen && !hasArrived)
            try caller.ask("/next")
            #expect(hasArrived && tunnel.opened.count == 2)
            tunnel.answer(1, Self.ok)
            tunnel.send(1, "ok")
            #expect(try caller.received().lowercased().contains("connection: close"))
            #expect(!caller.isOpen)
        }
    }

    @Test func aRequestThatWaitsIsSentAwayWhenTheServerStops() throws {
        try EmbeddedServer.run { server in
            try server.tunnel().breakDown()
            try server.run()
            let caller = try server.caller()
            try caller.ask()
            #expect(try caller.received() == "")
            server.core.stopTakingRequests()
            try caller.handler.stop()
            #expect(try caller.statuses() == [503])
            #expect(!caller.isOpen)
        }
    }

    @Test func aRequestWaitsForItsTunnelAsLongAsItMay() throws {
        try EmbeddedServer.run { server in
            try server.tunnel().breakDown()
            try server.run()
            let early = try server.caller()
            try early.ask()
            server.advance(.seconds(29))
            let late = try server.caller()
            try late.ask()
            #expect(try early.received() == "")
            server.advance(.seconds(1))
            #expect(try early.statuses() == [504])
            let tunnel = try server.tunnel()
            #expect(tunnel.opened.count == 1)
            tunnel.answer(0, Self.ok)
            tunnel.send(0, "ok")
            #expect(try late.statuses() == [200])
        }
    }

    @Test func atTheEndOfTheGraceWhatIsUnderWayIsCut() throws {
        try EmbeddedServer.run { server in
            let tunnel = try server.tunnel()
            let (waiting, begun) = (try server.caller(), try server.caller())
            try waiting.ask()
            try begun.ask()
            tunnel.answer(1, "200 OK|Content-Length: 9")
            #expect(try begun.statuses() == [200])
            server.core.end()
            try waiting.handler.cut()
            try begun.handler.cut()
            #expect(try waiting.statuses() == [502])
            #expect(!waiting.isOpen && !begun.isOpen)
            server.advance(.milliseconds(500))
            #expect(waiting.isClosed && begun.isClosed)
        }
    }

    @Test func whatACallerStillSendsIsDroppedUntilItIsSilent() throws {
        try EmbeddedServer.run { server in
            let caller = try server.caller()
            try caller.send("nonsense||")
            #expect(try caller.statuses() == [400])
            for _ in 0..<4 {
                server.advance(.seconds(1))
                try caller.send("more")
                #expect(!caller.isClosed)
            }
            server.advance(.seconds(2))
            #expect(caller.isClosed)
            #expect(try caller.received() == "")
        }
    }
}
