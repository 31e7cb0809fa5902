import HTTPMessage
import NIOCore
import NIOEmbedded
import Testing

@testable import OriginHTTP

/// What an exchange does with the parts of its request, before there is a connection and on it.
struct HTTPExchangeTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    private static let post = RequestHead(method: "POST", target: "/")

    private func send(_ text: String, on upload: EmbeddedExchange) {
        upload.exchange?.send(ByteBuffer(string: text))
    }

    // MARK: Before there is a connection

    @Test func whatIsSentBeforeThereIsAConnectionLeavesWithTheHead() throws {
        let origin = EmbeddedOrigin()
        let upload = try origin.start(Self.post, framing: .chunked)
        send("hel", on: upload)
        send("lo", on: upload)
        upload.exchange?.end(trailers: HeaderFields([.date: "late"]))
        #expect(origin.channels.isEmpty)
        #expect(
            try origin.written() == [
                "POST / HTTP/1.1\r\nHost: origin:8080\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5\r\nhello\r\n0\r\nDate: late\r\n\r\n"
            ])
        try origin.receive(Self.answer)
        #expect(upload.isEnded && upload.violations.isEmpty)
        #expect(try origin.pool.idleCount == 1)
    }

    @Test func aBodyOfKnownLengthGoesOnWhereItWas() throws {
        let origin = EmbeddedOrigin()
        let upload = try origin.start(Self.post, framing: .length(5))
        send("hel", on: upload)
        origin.loop.run()
        send("lo", on: upload)
        let head = "POST / HTTP/1.1\r\nHost: origin:8080\r\nContent-Length: 5\r\n\r\n"
        #expect(try origin.written().joined() == head + "hello")
        try origin.receive(Self.answer)
        #expect(upload.isEnded)
        #expect(try origin.pool.idleCount == 1)
    }

    @Test func sendersAreStoppedWhileThereIsNoConnection() throws {
        let origin = EmbeddedOrigin()
        origin.descriptors = 0
        let upload = try origin.begin("POST", framing: .chunked)
        let piece = ByteBuffer(repeating: 1, count: 1000)
        var sent = 0
        while upload.exchange?.isWritable == true {
            upload.exchange?.send(piece)
            sent += piece.readableBytes
        }
        #expect(sent < 70_000 && upload.exchange?.unsentBytes == sent)
        #expect(upload.writableCalls == 0)
        origin.descriptors = 1
        origin.loop.advanceTime(by: .milliseconds(100))
        #expect(upload.writableCalls == 1)
        #expect(try origin.written().joined().utf8.count > sent)
    }

    @Test func aBodyThatIsTooLongFailsBeforeAByteOfItIsSent() throws {
        let origin = EmbeddedOrigin()
        let upload = try origin.start(Self.post, framing: .length(2))
        send("abc", on: upload)
        #expect(upload.error?.code == .badRequest)
        origin.loop.run()
        for index in origin.channels.indices { #expect(try origin.written(index).isEmpty) }
        #expect(try origin.pool.active == 0)
    }

    @Test func theNextInLineIsWrittenWhenTheConnectionIsFree() throws {
        let origin = EmbeddedOrigin(HTTPOriginOptions(activeConnections: 1))
        let first = try origin.begin()
        let second = try origin.begin("POST", framing: .length(2))
        send("hi", on: second)
        let third = try origin.begin()
        third.isCancelled = true
        third.exchange?.cancel()
        #expect(try origin.written() == ["GET / HTTP/1.1\r\nHost: origin:8080\r\n\r\n"])
        try origin.receive(Self.answer)
        #expect(first.isEnded)
        #expect(
            try origin.written() == ["POST / HTTP/1.1\r\nHost: origin:8080\r\nContent-Length: 2\r\n\r\nhi"])
        try origin.receive(Self.answer)
        #expect(second.isEnded && third.violations.isEmpty)
        #expect(try origin.written().isEmpty)
        #expect(try origin.pool.idleCount == 1)
    }

    @Test(arguments: ["cancelled", "too long"]) func whatIsGivenUpInTheTurnInWhichItBeganIsNotSent(
        how: String
    ) throws {
        let origin = EmbeddedOrigin()
        origin.closesLate = true
        _ = try origin.begin()
        try origin.receive(Self.answer)
        #expect(try origin.written().count == 1)
        let upload = try origin.start(Self.post, framing: .length(2))
        if how == "cancelled" {
            upload.isCancelled = true
            upload.exchange?.cancel()
        } else {
            send("abc", on: upload)
            #expect(upload.error?.code == .badRequest)
        }
        #expect(try origin.written().isEmpty)
        #expect(upload.violations.isEmpty)
        // It counts until it is gone, and carries nothing more.
        #expect(try origin.pool.active == 1)
        _ = try origin.begin()
        #expect(origin.channels.count == 2)
    }

    // MARK: Again

    @Test func aRequestIsRepeatedOnceOnAConnectionOfItsOwn() throws {
        let origin = EmbeddedOrigin()
        _ = try origin.begin()
        try origin.receive(Self.answer)
        let head = try #require(try origin.written().last)
        let second = try origin.begin()
        #expect(try origin.written() == [head])
        origin.closeByOrigin(0)
        #expect(origin.channels.count == 2)
        #expect(try origin.written(1) == [head])
        #expect(!second.isOver)
        origin.closeByOrigin(1)
        #expect(second.error?.code == .closedEarly && second.violations.isEmpty)
        #expect(origin.channels.count == 2)
        #expect(try origin.pool.active == 0)
    }

    @Test func whoIsPausedStaysSoOnAnotherConnection() throws {
        let origin = EmbeddedOrigin()
        _ = try origin.begin()
        try origin.receive(Self.answer)
        origin.descriptors = 0
        let second = try origin.begin()
        origin.closeByOrigin(0)
        second.exchange?.pauseReading()
        origin.descriptors = 2
        origin.loop.advanceTime(by: .milliseconds(100))
        try origin.receive(Self.answer, on: 1)
        #expect(second.statuses.isEmpty)
        second.exchange?.resumeReading()
        #expect(second.isEnded && second.body == "ok")
    }

    // MARK: The pool's word

    @Test func aConnectionThatEndsWhileItIsIdleIsNotGivenOut() throws {
        let origin = EmbeddedOrigin()
        for _ in 0..<2 { _ = try origin.begin() }
        for index in 0..<2 { try origin.receive(Self.answer, on: index) }
        origin.channels[1].pipeline.fireErrorCaught(ChannelError.ioOnClosedChannel)
        #expect(try origin.pool.idleCount == 1)
        _ = try origin.begin()
        #expect(origin.channels.count == 2)
        #expect(try origin.written(0).count == 2)
    }

    @Test func whatIsTooMuchFailsInALaterTurn() throws {
        let origin = EmbeddedOrigin(HTTPOriginOptions(activeConnections: 1, waitingRequests: 0))
        _ = try origin.begin()
        let second = try origin.start()
        #expect(!second.isOver)
        origin.loop.run()
        #expect(second.error?.code == .tooBusy)
        let third = try origin.start()
        third.isCancelled = true
        third.exchange?.cancel()
        origin.loop.run()
        #expect(third.violations.isEmpty && !third.isOver)
    }

    /// Whoever fails may ask for a connection at once.
    @Test func requestsMadeWhileOthersFailAreServed() throws {
        let origin = EmbeddedOrigin(HTTPOriginOptions(connectTimeout: .seconds(1), activeConnections: 1))
        let busy = try origin.begin()
        let late = try (0..<3).map { _ in try origin.begin() }
        var again: [EmbeddedExchange] = []
        for exchange in late {
            exchange.whenFailed = { if let next = try? origin.start() { again.append(next) } }
        }
        origin.loop.advanceTime(by: .seconds(1))
        #expect(late.allSatisfy { $0.error?.code == .timedOut } && again.count == 3)
        try origin.receive(Self.answer)
        for _ in 0..<3 { try origin.receive(Self.answer) }
        #expect(busy.isEnded && again.allSatisfy { $0.isEnded && $0.violations.isEmpty })
        #expect(origin.channels.count == 1)
    }
}
