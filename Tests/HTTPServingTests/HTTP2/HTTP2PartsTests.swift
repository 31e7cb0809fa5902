import HTTPMessage
import NIOCore
import NIOHPACK
import NIOHTTP2
import Testing

@testable import HTTPServing

/// The heads of answers.
@Suite struct HTTP2AnswerTests {
    @Test func namesAreInLowerCaseAndWhatBelongsToOneHopIsNotThere() throws {
        var head = ResponseHead(status: 206, fields: HeaderFields([.contentLength: "3", .connection: "x"]))
        head.fields.append(named: "X-Trace", "A B")
        head.fields.append(.transferEncoding, "chunked")
        head.fields.append(named: "keep-alive", "1")
        let headers = try #require(HTTP2Answer.head(head))
        let lines = headers.map { "\($0.name): \($0.value)" }
        #expect(lines == [":status: 206", "content-length: 3", "x-trace: A B"])
    }

    /// As many bytes as one frame holds, however they are written.
    @Test(arguments: ["a", "\\", "~", "\u{e9}", "{"]) func whatDoesNotFitAFrameIsNotSent(_ text: String)
        throws
    {
        var fits = 0
        for count in stride(from: 500, through: 20_000, by: 500) {
            var head = ResponseHead(status: 200)
            head.fields.append(named: "x", String(repeating: text, count: count))
            guard let headers = HTTP2Answer.head(head) else { break }
            fits = count
            var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
            try encoder.beginEncoding(allocator: ByteBufferAllocator())
            try encoder.append(headers: headers)
            #expect(try encoder.endEncoding().readableBytes <= 16_384)
        }
        #expect(fits >= 2000 && fits < 20_000)
    }
}

/// What comes of a request behind its head.
@Suite struct HTTP2RequestBodyTests {
    private func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    @Test func itIsAsLongAsItSaid() throws {
        var body = HTTP2RequestBody(.length(4), isLast: false, isRaw: false)
        try body.check(3)
        #expect(throws: HTTPMessageError.self) { try body.check(2) }
        #expect(throws: HTTPMessageError.self) { try body.ended(trailers: nil) }
        try body.check(1)
        try body.ended(trailers: nil)
    }

    @Test func whereNoneWasToComeNothingMayCome() {
        var body = HTTP2RequestBody(.none, isLast: false, isRaw: false)
        #expect(throws: HTTPMessageError.self) { try body.check(1) }
        #expect(throws: Never.self) { try body.ended(trailers: nil) }
        // The exchange waits for no end.
        let next = body.next()
        #expect(next == nil)
    }

    @Test func whatWaitsIsJoinedAndComesBeforeTheEnd() throws {
        var body = HTTP2RequestBody(.chunked, isLast: false, isRaw: false)
        for text in ["a", "b", "c"] { body.keep(bytes(text)) }
        try body.ended(trailers: HeaderFields([.date: "now"]))
        guard case .bytes(let joined) = body.next() else { throw HTTPMessageError(.malformed, "no bytes") }
        #expect(String(buffer: joined) == "abc")
        guard case .end(let trailers) = body.next() else { throw HTTPMessageError(.malformed, "no end") }
        let next = body.next()
        #expect(trailers?[.date] == "now" && next == nil)
    }

    @Test func whatWaitsKeepsNoBufferOfOthers() throws {
        var body = HTTP2RequestBody(.chunked, isLast: false, isRaw: false)
        let read = ByteBuffer(repeating: 1, count: 64 << 10)
        body.keep(try #require(read.getSlice(at: 0, length: 10)))
        body.settle()
        guard case .bytes(let kept) = body.next() else { throw HTTPMessageError(.malformed, "no bytes") }
        #expect(kept.storageCapacity <= 1024)
    }

    @Test func rawBytesHaveNoTrailers() {
        var body = HTTP2RequestBody(.none, isLast: false, isRaw: true)
        #expect(throws: Never.self) { try body.check(1 << 30) }
        #expect(throws: HTTPMessageError.self) { try body.ended(trailers: HeaderFields()) }
        #expect(throws: Never.self) { try body.ended(trailers: nil) }
    }
}

extension HTTP2RequestBody.Part: Equatable {
    static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.bytes(let one), .bytes(let other)): one == other
        case (.end(let one), .end(let other)): one == other
        default: false
        }
    }
}

/// What waits of an answer.
@Suite struct HTTP2AnswerQueueTests {
    /// `12`, with `.` behind the last bytes, `!` for a break, `T` for trailers.
    private func next(_ queue: inout HTTP2AnswerQueue, _ allowance: Int = 1 << 20) -> String? {
        switch queue.next(allowance) {
        case .bytes(let bytes, let isLast): "\(bytes.readableBytes)\(isLast ? "." : "")"
        case .trailers: "T"
        case .broken: "!"
        case nil: nil
        }
    }

    private func queue(_ counts: [Int], window: Int = 1 << 20) -> HTTP2AnswerQueue {
        var queue = HTTP2AnswerQueue(window: window)
        for count in counts { queue.append(ByteBuffer(repeating: 1, count: count)) }
        return queue
    }

    @Test func theLastBytesBringTheEnd() {
        var queue = queue([10, 20, 40_000])
        queue.finish(.whole)
        let pieces = (0..<5).map { _ in next(&queue) }
        #expect(pieces == ["30", "16384", "16384", "7232.", nil])
        #expect(queue.isOver && !queue.isReady)
    }

    @Test func noMoreGoesOutThanTheWindowsAllow() {
        var queue = queue([100], window: 30)
        queue.finish(.whole)
        #expect(next(&queue, 20) == "20" && next(&queue, 20) == "10" && next(&queue) == nil)
        #expect(!queue.isReady && queue.waiting == 70)
        queue.window += 70
        #expect(queue.isReady && next(&queue, 0) == nil && next(&queue) == "70.")
    }

    @Test(arguments: [0, -5]) func anEndThatIsNoDataNeedsNoWindow(window: Int) {
        for (end, text) in [(HTTP2AnswerQueue.End.trailers([:]), "T"), (.broken, "!")] {
            var queue = queue([], window: window)
            #expect(!queue.isReady)
            queue.finish(end)
            #expect(queue.isReady && next(&queue, 0) == text && queue.isOver)
        }
    }

    /// NIO's handler stops the process for an empty frame of data on a stream whose window is below zero.
    @Test func anEmptyEndWaitsUntilTheWindowsAreNotBelowZero() {
        var queue = queue([], window: -5)
        queue.finish(.whole)
        #expect(!queue.isReady && next(&queue) == nil)
        queue.window = 0
        #expect(queue.isReady && next(&queue, 0) == nil && next(&queue, 1) == "0." && queue.isOver)
    }

    @Test func whatCameGoesOutBeforeTheBreak() {
        var queue = queue([5])
        queue.finish(.broken)
        #expect(next(&queue) == "5" && !queue.isOver && next(&queue) == "!" && queue.isOver)
    }

    @Test func aWholeAnswerDoesNotBreakAndABrokenOneIsNeverWhole() {
        var whole = queue([5])
        whole.finish(.whole)
        whole.finish(.broken)
        #expect(next(&whole) == "5.")
        var broken = queue([5])
        broken.finish(.broken)
        broken.finish(.whole)
        #expect(next(&broken) == "5" && next(&broken) == "!")
    }
}

/// What a caller may send.
@Suite struct HTTP2ReceiveWindowTests {
    /// All that comes is taken at once.
    private func take(_ bytes: Int, _ window: inout HTTP2ReceiveWindow, mayGrow: Bool = true) -> Int {
        window.offered -= bytes
        window.came(bytes)
        window.taken(bytes)
        return window.opening { _ in mayGrow }
    }

    @Test func itOpensInPiecesThatAreWorthAFrame() {
        var window = HTTP2ReceiveWindow(promised: 65_535, most: 65_535)
        #expect(take(10_000, &window) == 0 && take(10_000, &window) == 20_000)
        #expect(window.offered == 65_535)
    }

    @Test func itOpensOnlyForWhatWasTaken() {
        var window = HTTP2ReceiveWindow(promised: 65_535, most: 65_535)
        window.offered = 0
        window.came(65_535)
        #expect(window.opening { _ in true } == 0)
        window.taken(40_000)
        #expect(window.opening { _ in true } == 40_000)
    }

    @Test func itGrowsWhereAllIsTakenAtOnceUpToItsBound() {
        var window = HTTP2ReceiveWindow(promised: 65_535, most: 200_000)
        for _ in 0..<100 { _ = take(window.offered, &window) }
        #expect(window.promised == 200_000 && window.offered == 200_000)
    }

    @Test func itDoesNotGrowWithoutMemory() {
        var window = HTTP2ReceiveWindow(promised: 65_535, most: 200_000)
        for _ in 0..<100 { _ = take(window.offered, &window, mayGrow: false) }
        #expect(window.promised == 65_535)
    }

    /// On a connection: one stream that stands still takes nothing from the others while there is memory.
    @Test func whatWaitsLeavesRoomForOthers() {
        var window = HTTP2ReceiveWindow(promised: 128 << 10, most: 1 << 20, isShared: true)
        window.offered = 30_000
        window.came(101_072)
        #expect(window.opening { _ in true } == 128 << 10)
        #expect(window.promised == 256 << 10)
    }
}

/// Who is a nuisance.
@Suite struct HTTP2NuisanceTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test func framesThatAskForNothingAreTooMuchInTheEnd() {
        var nuisance = HTTP2Nuisance(now: start)
        for _ in 0..<2000 { nuisance.idleFrameCame() }
        #expect(!nuisance.isTooMuch && nuisance.bytesToNextLook < 10_000)
        nuisance.idleFrameCame()
        #expect(nuisance.isTooMuch)
    }

    @Test func bytesOfNoFrameAreTooMuchInTheEnd() {
        var nuisance = HTTP2Nuisance(now: start)
        nuisance.received(96 << 10, counted: 0, now: start)
        #expect(!nuisance.isTooMuch && nuisance.bytesToNextLook == .max)
        nuisance.received(1, counted: 0, now: start)
        #expect(nuisance.isTooMuch)
    }

    @Test func bodiesAreNone() {
        var nuisance = HTTP2Nuisance(now: start)
        for _ in 0..<1000 { nuisance.received(64 << 10, counted: 64 << 10, now: start) }
        #expect(!nuisance.isTooMuch)
    }

    /// Of a body whose answer came first the rest is on its way.
    @Test func whatAResetStreamMayStillGetIsNone() {
        var nuisance = HTTP2Nuisance(now: start)
        for _ in 0..<100 {
            nuisance.expects(1 << 20)
            nuisance.received(1 << 20, counted: 0, now: start)
        }
        #expect(!nuisance.isTooMuch)
        nuisance.received(100 << 10, counted: 0, now: start)
        #expect(nuisance.isTooMuch)
    }

    @Test func headsMayComeInPieces() {
        var nuisance = HTTP2Nuisance(now: start)
        for _ in 0..<1000 {
            nuisance.received(60_000, counted: 0, now: start)
            nuisance.received(5000, counted: 65_000, now: start)
        }
        #expect(!nuisance.isTooMuch)
    }

    /// Four hundred PINGs a second, for a day.
    @Test func whatComesSlowlyIsForgotten() {
        var nuisance = HTTP2Nuisance(now: start)
        for second in 0..<86_400 {
            for _ in 0..<400 { nuisance.idleFrameCame() }
            nuisance.received(16_000, counted: 0, now: start + .seconds(Int64(second)))
        }
        #expect(!nuisance.isTooMuch)
    }

    @Test func whoReadsMayOpenWindows() {
        var nuisance = HTTP2Nuisance(now: start)
        for _ in 0..<100_000 {
            nuisance.sentFrame()
            for _ in 0..<2 { nuisance.idleFrameCame() }
        }
        #expect(!nuisance.isTooMuch)
    }

    @Test func requestsThatAreCalledOffAreTooMuchInTheEnd() {
        var nuisance = HTTP2Nuisance(now: start)
        for _ in 0..<200 { nuisance.wasCancelled(now: start) }
        #expect(!nuisance.isTooMuch)
        nuisance.wasCancelled(now: start)
        #expect(nuisance.isTooMuch)
    }

    @Test func whoIsAnsweredAsOftenMayCallOff() {
        var nuisance = HTTP2Nuisance(now: start)
        for _ in 0..<10_000 {
            nuisance.wasCancelled(now: start)
            nuisance.wasAnswered()
        }
        #expect(!nuisance.isTooMuch)
    }
}

/// A connection's streams, its drain and its times.
@Suite struct HTTP2ConnectionMachineTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func machine() -> HTTP2ConnectionMachine {
        HTTP2ConnectionMachine(ConnectionLimits(), now: start)
    }

    private func due(_ machine: inout HTTP2ConnectionMachine, _ seconds: Int64) -> String {
        switch machine.due(now: start + .seconds(seconds)) {
        case .nothing(let deadline):
            deadline == .distantFuture ? "-" : "\((deadline - start).nanoseconds / 1_000_000_000)"
        case .refuseStreams: "refuse"
        case .close: "close"
        case .cut: "cut"
        case .farewell: "farewell"
        }
    }

    @Test func streamsAreTakenOnceAndInOrder() {
        var machine = machine()
        #expect(machine.takesStream(1) && machine.takesStream(5))
        #expect(!machine.takesStream(5) && !machine.takesStream(3))
        #expect(machine.lastStream == 5)
    }

    @Test func oneThatLeavesTakesWhatIsOnItsWay() {
        var machine = machine()
        #expect(machine.takesStream(1) && machine.leave(now: start) && !machine.leave(now: start))
        #expect(machine.awaitsStreams && machine.takesStream(3))
        #expect(due(&machine, 0) == "1" && due(&machine, 1) == "refuse")
        #expect(machine.refuseStreams() && !machine.refuseStreams())
        #expect(!machine.takesStream(5) && machine.lastStream == 3 && due(&machine, 1) == "-")
        machine.becameIdle(now: start)
        #expect(due(&machine, 1) == "close")
    }

    /// Ten seconds for a first request, seventy-five for others.
    @Test func silenceEndsIt() {
        var machine = machine()
        #expect(due(&machine, 0) == "10" && due(&machine, 10) == "close")
        #expect(machine.takesStream(1) && due(&machine, 1000) == "-")
        machine.becameIdle(now: start + .seconds(1000))
        #expect(due(&machine, 1000) == "1075" && due(&machine, 1075) == "close")
    }

    @Test func theEndOfTheGraceCutsWhatIsUnderWay() {
        var machine = machine()
        _ = machine.takesStream(1)
        machine.cut(now: start)
        #expect(due(&machine, 1) == "cut")
    }

    /// Streams whose callers do not take their answers hold up none but themselves.
    @Test func anAnswerOfWhichNothingWaitsMayAlwaysHaveMore() {
        var machine = machine()
        #expect(machine.takesMore(10, isShort: false) && !machine.takesMore(10, isShort: true))
        #expect(!machine.takesMore(HTTP2AnswerQueue.usuallyKept, isShort: false))
        machine.answersWait(1 << 20)
        #expect(!machine.takesMore(10, isShort: false) && machine.takesMore(0, isShort: true))
    }

    @Test func theWindowOfNewStreamsMayShrinkThatOfOthers() {
        var machine = machine()
        let shrunk = machine.initialSendWindowBecame(100)
        let grown = machine.initialSendWindowBecame(150)
        #expect(shrunk == 100 - 65_535 && grown == 50 && machine.initialSendWindow == 150)
        machine.sent(535)
        machine.sendWindowOpened(1000)
        #expect(machine.sendWindow == 66_000)
    }
}
