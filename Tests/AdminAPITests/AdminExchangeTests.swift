import HTTPMessage
import HTTPServing
import NIOCore
import NIOEmbedded
import Testing

@testable import AdminAPI

/// One request to the admin API, its connection played by the test, the clock moved by hand.
@Suite struct AdminExchangeTests {
    private static let patience = TimeAmount.seconds(10)
    private static let long = String(repeating: "x", count: 300_000)

    private let connection = FakeConnection()
    private let requests = AsyncStream.makeStream(of: AdminRequest.self)

    private func exchange(
        _ method: String = "GET", _ framing: BodyFraming = .none, _ fields: HeaderFields = HeaderFields()
    ) -> AdminExchange {
        let exchange = AdminExchange(
            RequestHead(method: method, target: "/", fields: fields), framing, on: connection, from: "test",
            patience: Self.patience,
            requests: requests.continuation)
        connection.exchange = exchange
        exchange.start()
        return exchange
    }

    /// Its first piece was written, and has not arrived.
    private func longAnswerUnderWay() -> AdminExchange {
        connection.room = 1
        connection.undelivered = 50_000
        let exchange = exchange()
        exchange.answer(OwnAnswer(200, text: Self.long, as: .json))
        return exchange
    }

    @Test func aShortAnswerGoesOutWhole() {
        let exchange = exchange()
        exchange.answer(OwnAnswer(200, line: "short"))
        exchange.answer(OwnAnswer(200, line: "again"))
        exchange.callerBecameWritable()
        #expect(connection.log == ["answer 200", "end"])
    }

    @Test func aLongAnswerGoesOutAsItIsTaken() {
        let exchange = longAnswerUnderWay()
        #expect(connection.log == ["head 200", "65536"])
        #expect(connection.deadline == .uptimeNanoseconds(0) + Self.patience)
        connection.room = 2
        exchange.callerBecameWritable()
        #expect(connection.log == ["head 200", "65536", "65536", "65536"])
        connection.room = 2
        exchange.callerBecameWritable()
        // The end of it is not taken yet.
        #expect(connection.log.suffix(2) == ["65536", "37856 last"])
        connection.room = 1
        exchange.callerBecameWritable()
        #expect(connection.log.suffix(2) == ["37856 last", "end"])
    }

    /// As where the kernel takes all at once while it is written.
    @Test func whatIsTakenWhileItIsWrittenEndsOnce() {
        connection.room = 1
        connection.takesAtOnce = true
        exchange().answer(OwnAnswer(200, text: Self.long, as: .json))
        #expect(connection.log.count == 7 && connection.log.suffix(2) == ["37856 last", "end"])
    }

    @Test func whoLeavesWhileItIsWrittenGetsNoMore() {
        connection.leavesAtOnce = true
        exchange().answer(OwnAnswer(200, text: Self.long, as: .json))
        #expect(connection.log == ["head 200", "65536"])
    }

    @Test func whoTakesAPieceNowAndThenIsNotGivenUp() {
        let exchange = longAnswerUnderWay()
        for _ in 0..<3 {
            connection.loop.advanceTime(by: .seconds(8))
            connection.room = 1
            exchange.callerBecameWritable()
        }
        #expect(connection.log.count == 5)
    }

    @Test func aLongAnswerToHeadHasNoBody() {
        exchange("HEAD").answer(OwnAnswer(200, text: Self.long, as: .json))
        #expect(connection.log == ["answer 200", "end"])
    }

    @Test func whoTakesNothingIsGivenUpAndWhoTakesALittleIsNot() {
        let exchange = longAnswerUnderWay()
        for _ in 0..<20 {
            connection.loop.advanceTime(by: .seconds(8))
            connection.undelivered -= 1
            exchange.checkTime()
        }
        #expect(connection.log == ["head 200", "65536"])
        connection.loop.advanceTime(by: .seconds(11))
        exchange.checkTime()
        #expect(connection.log.last == "given up")
        // The connection tells of its end.
        exchange.callerLeft()
        exchange.checkTime()
        #expect(connection.log.count == 3)
    }

    @Test func aBodyHasToComeInTime() {
        let exchange = exchange("POST", .length(10))
        #expect(connection.deadline == .uptimeNanoseconds(0) + Self.patience)
        exchange.callerSent(ByteBuffer(string: "abc"))
        connection.loop.advanceTime(by: .seconds(9))
        exchange.checkTime()
        #expect(connection.log.isEmpty && connection.deadline == .uptimeNanoseconds(0) + Self.patience)
        connection.loop.advanceTime(by: .seconds(1))
        exchange.checkTime()
        #expect(connection.log == ["answer 408 closes", "end"])
    }

    @Test func whoWaitsToBeToldToSendItsBodyIsTold() {
        let exchange = exchange("POST", .length(10), HeaderFields([.expect: "100-continue"]))
        #expect(connection.log == ["interim"])
        exchange.callerEndedRequest(trailers: nil)
        exchange.answer(OwnAnswer(200, line: "done"))
        #expect(connection.log == ["interim", "answer 200", "end"])
    }

    @Test func aBodyThatIsTooLargeIsNotWaitedFor() {
        let fields = HeaderFields([.expect: "100-continue"])
        _ = exchange("POST", .length(AdminExchange.mostBodyBytes + 1), fields)
        #expect(connection.log == ["answer 400 closes", "end"])
    }

    @Test func whoHasNoTokenKeepsNoPlace() {
        exchange().answer(.adminError(401, "no"))
        #expect(connection.log == ["answer 401 closes", "end"])
    }

    @Test func whatIsLeftOfABodyThatIsTooLargeIsNotAskedFor() {
        let exchange = exchange("POST", .chunked)
        let piece = ByteBuffer(repeating: 7, count: AdminExchange.mostBodyBytes)
        exchange.callerSent(piece)
        #expect(connection.log.isEmpty)
        exchange.callerSent(ByteBuffer(repeating: 7, count: 1))
        #expect(connection.log == ["answer 400 closes", "end"])
    }

    @Test func whoHasLeftGetsNoAnswer() {
        let exchange = exchange()
        exchange.callerLeft()
        exchange.answer(OwnAnswer(200, line: "late"))
        exchange.checkTime()
        #expect(connection.log.isEmpty)
    }

    @Test func aServerThatTakesNothingMoreSaysSo() {
        requests.continuation.finish()
        _ = exchange()
        #expect(connection.log == ["answer 503 closes", "end"])
    }

    @Test func anAnswerThatIsCutShortIsBroken() {
        let exchange = longAnswerUnderWay()
        exchange.cutShort()
        exchange.callerBecameWritable()
        #expect(connection.log == ["head 200", "65536", "broken"])
    }

    @Test func whoWaitsIsToldThatTheAgentStopped() {
        let exchange = exchange()
        exchange.cutShort()
        exchange.answer(OwnAnswer(200, line: "late"))
        #expect(connection.log == ["answer 503 closes", "end"])
    }

    /// The agent may be at work for minutes.
    @Test func nothingIsKeptForOneWhoHasLeft() {
        weak var kept: FakeConnection?
        let exchange = {
            let connection = FakeConnection()
            kept = connection
            return AdminExchange(
                RequestHead(method: "POST", target: "/"), .none, on: connection, from: "test",
                patience: Self.patience,
                requests: requests.continuation)
        }()
        exchange.start()
        #expect(kept != nil)
        exchange.callerLeft()
        #expect(kept == nil)
    }
}

/// Notes what an exchange does.
private final class FakeConnection: CallerStream {
    let loop = EmbeddedEventLoop()
    var eventLoop: any EventLoop { loop }
    let isWholeConnection = true
    weak var exchange: AdminExchange?
    private(set) var log: [String] = []
    private(set) var deadline: NIODeadline?
    /// How many pieces it takes before it is full.
    var room = 99
    var undelivered = 0
    /// What it takes makes room for more while it is written.
    var takesAtOnce = false
    var leavesAtOnce = false

    var isWritable: Bool { room > 0 }
    var waiting: Int { undelivered }

    func send(interim head: ResponseHead) { log.append("interim") }
    func send(_ head: consuming ResponseHead, _ length: AnswerLength, isLast: Bool) {
        log.append("head \(head.status)")
    }
    func send(switching head: consuming ResponseHead) { log.append("101") }
    func send(_ data: ByteBuffer, isLast: Bool) {
        room -= 1
        log.append("\(data.readableBytes)\(isLast ? " last" : "")")
        if takesAtOnce {
            room = 1
            exchange?.callerBecameWritable()
        }
        if leavesAtOnce { exchange?.callerLeft() }
    }
    func send(trailers: HeaderFields) { log.append("trailers") }
    func send(_ answer: OwnAnswer, closes: Bool) {
        log.append("answer \(answer.status)\(closes ? " closes" : "")")
    }
    func endRawOutput() { log.append("raw end") }
    func exchangeEnded() { log.append("end") }
    func exchangeBroke(isWhole: Bool) { log.append("broken") }
    func exchangeGaveUp() { log.append("given up") }
    func requestMayFlow() {}
    func ring(by deadline: NIODeadline) { self.deadline = deadline }
}
