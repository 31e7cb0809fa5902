import NIOCore
import TestSupport
import Testing

@testable import TunnelProtocol

/// Peers that break the rules, or keep them to our cost.
@Suite struct SessionHostilityTests {
    private static let head = SessionProbe.head
    private static let one = StreamID(1)

    struct Misuse: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let role: SessionRole
        let frames: [MuxFrame]
        let error: MuxError

        init(_ what: String, _ role: SessionRole, _ error: MuxError, _ frames: MuxFrame...) {
            (testDescription, self.role, self.frames, self.error) = (what, role, frames, error)
        }
    }

    private static func request(_ number: UInt32, window: Int = 0, isLast: Bool = true) -> MuxFrame {
        .request(StreamID(number), window: window, head: head, isLast: isLast)
    }

    static let misuses: [Misuse] = [
        Misuse("settings twice", .opener, .malformedFrame, .settings(SessionProbe.settings)),
        Misuse("a request to an opener", .opener, .wrongDirection, request(1)),
        Misuse(
            "a response to an acceptor", .acceptor, .wrongDirection, request(1),
            .response(one, head: head, isInterim: false, isLast: true)),
        Misuse("a stream twice", .acceptor, .streamOutOfOrder, request(1), request(1)),
        Misuse("a stream out of order", .acceptor, .streamOutOfOrder, request(5), request(4)),
        Misuse("stream 0", .acceptor, .streamOutOfOrder, request(0)),
        Misuse("a stream beyond the last", .acceptor, .streamOutOfOrder, request(1 << 31)),
        Misuse("data for no stream", .acceptor, .unknownStream, .data(one, bytes(1), isLast: true)),
        Misuse("data for stream 0", .opener, .unknownStream, .data(StreamID(0), bytes(1), isLast: true)),
        Misuse("trailers for no stream", .opener, .unknownStream, .trailers(one, bytes(1))),
        Misuse("a reset for no stream", .acceptor, .unknownStream, .reset(one, .cancelled, reason: "")),
        Misuse("a window for no stream", .opener, .unknownStream, .window(one, 1)),
        Misuse(
            "a response for no stream", .opener, .unknownStream,
            .response(one, head: head, isInterim: false, isLast: true)),
        Misuse(
            "data after the end", .acceptor, .malformedFrame, request(1), .data(one, bytes(1), isLast: true)),
        Misuse("trailers after the end", .acceptor, .malformedFrame, request(1), .trailers(one, bytes(1))),
        Misuse("too much credit", .acceptor, .flowControl, request(1, window: 1), .window(one, 0x7fff_ffff)),
        Misuse("too much credit at once", .acceptor, .flowControl, request(1, window: 1 << 31)),
        Misuse(
            "more than the window", .acceptor, .flowControl, request(1, isLast: false),
            .data(one, bytes(300_000), isLast: false)),
        Misuse(
            "goAway again and again", .opener, .flooded,
            .goAway(lastTaken: one, reason: ""), .goAway(lastTaken: one, reason: ""),
            .goAway(lastTaken: one, reason: ""), .goAway(lastTaken: one, reason: ""),
            .goAway(lastTaken: one, reason: ""), .goAway(lastTaken: one, reason: ""),
            .goAway(lastTaken: one, reason: ""), .goAway(lastTaken: one, reason: ""),
            .goAway(lastTaken: one, reason: "")),
        Misuse(
            "a head too big", .acceptor, .frameTooBig,
            .request(one, window: 0, head: bytes(82_000), isLast: true)),
    ]

    @Test(arguments: misuses) func misuseEndsTheSession(_ misuse: Misuse) throws {
        let probe = try SessionProbe(misuse.role)
        #expect(throws: misuse.error) { try probe.receive(misuse.frames) }
    }

    @Test(arguments: [.opener, .acceptor] as [SessionRole])
    func nothingComesBeforeTheSettings(role: SessionRole) throws {
        for frame in [MuxFrame.ping(1), .pong(1), .window(Self.one, 1), Self.request(1)] {
            let probe = try SessionProbe(role, isReady: false)
            #expect(throws: MuxError.settingsMissing) { try probe.receive(frame) }
        }
    }

    @Test func settingsThatCannotBeAreRefused() throws {
        var settings = SessionProbe.settings
        settings.version = .v1
        let other = try SessionProbe(.opener, isReady: false)
        #expect(throws: MuxError.unsupportedVersion) { try other.receive(.settings(settings)) }
        settings = SessionProbe.settings
        var unknown = settings.encoded
        // Behind the key and the length of the first entry.
        unknown.setInteger(UInt32(3), at: unknown.readerIndex + 4)
        #expect(throws: MuxError.unsupportedVersion) { try SessionSettings(decoding: &unknown) }
        settings.initialWindow = 1 << 31
        let immense = try SessionProbe(.opener, isReady: false)
        #expect(throws: MuxError.flowControl) { try immense.receive(.settings(settings)) }
    }

    @Test func aFrameIsWithinOneMessage() throws {
        let probe = try SessionProbe(.acceptor)
        probe.machine.receive(ByteBuffer(bytes: MuxFrame.ping(1).wire.dropLast()), now: probe.now)
        _ = try probe.events()
        #expect(throws: MuxError.frameAcrossMessages) { try probe.machine.messageEnded() }
    }

    struct Disorder: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let before: [MuxFrame]
        let frame: MuxFrame
    }

    private static let final = MuxFrame.response(one, head: head, isInterim: false, isLast: false)
    private static let interim = MuxFrame.response(one, head: head, isInterim: true, isLast: false)

    @Test(
        arguments: [
            Disorder(testDescription: "two final heads", before: [final], frame: final),
            Disorder(testDescription: "an interim head late", before: [final], frame: interim),
            Disorder(
                testDescription: "an interim head that ends", before: [],
                frame: .response(one, head: head, isInterim: true, isLast: true)),
            Disorder(
                testDescription: "a body without a head", before: [interim],
                frame: .data(one, bytes(1), isLast: true)),
            Disorder(testDescription: "trailers without a head", before: [], frame: .trailers(one, bytes(1))),
        ])
    func anAnswerOutOfOrderEndsItsStreamAlone(_ disorder: Disorder) throws {
        let probe = try SessionProbe(.opener)
        #expect(probe.open(isLast: true) == Self.one)
        let other = try probe.openAnswered(isLast: true)
        try probe.receive(disorder.before)
        _ = probe.written()
        let events = try probe.receive(disorder.frame)
        guard case .reset(Self.one, .malformedMessage, _)? = events.first, events.count == 1 else {
            Issue.record("\(events)")
            return
        }
        guard case .reset(Self.one, .malformedMessage, _)? = probe.written().last else {
            Issue.record("the peer is not told")
            return
        }
        #expect(try probe.receive(.data(other, bytes(1), isLast: true)).count == 1)
        #expect(probe.streamCount == 0)
    }

    @Test func emptyDataIsNoEvent() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1)
        let flood = [MuxFrame](repeating: .data(Self.one, ByteBuffer(), isLast: false), count: 1000)
        #expect(try probe.receive(flood) == [])
        let end = MuxFrame.data(Self.one, ByteBuffer(), isLast: true)
        #expect(try probe.receive(end) == [.data(Self.one, ByteBuffer(), isLast: true)])
    }

    @Test func aWindowFloodGrowsNothing() throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1)
        _ = probe.written()
        try probe.receive([MuxFrame](repeating: .window(Self.one, 0), count: 10_000))
        try probe.receive([MuxFrame](repeating: .window(Self.one, 1), count: 10_000))
        #expect(!probe.hasSomethingToWrite)
    }

    @Test func streamsOpenedAndResetRapidlyLeaveNothing() throws {
        let probe = try SessionProbe(.acceptor)
        for batch in 0..<100 as Range<UInt32> {
            let frames = (1...100 as ClosedRange<UInt32>).flatMap { number -> [MuxFrame] in
                let id = StreamID(batch * 100 + number)
                return [
                    .request(id, window: 0, head: Self.head, isLast: true),
                    .reset(id, .cancelled, reason: ""),
                ]
            }
            #expect(try probe.receive(frames).count == 200)
        }
        #expect(!probe.hasSomethingToWrite)
        #expect(probe.streamCount == 0)
        #expect(probe.budget.taken == 0)
    }

    @Test func interimHeadsAreBoundedOnBothSides() throws {
        let opener = try SessionProbe(.opener)
        #expect(opener.open(isLast: true) == Self.one)
        var got = 0
        for _ in 0..<1000 {
            let frame = MuxFrame.response(Self.one, head: bytes(1000), isInterim: true, isLast: false)
            for case .response(_, let head, _, _, _) in try opener.receive(frame) {
                got += head.readableBytes
            }
        }
        #expect(got > 70_000 && got <= 80 << 10)
        #expect(try opener.receive(Self.final).count == 1, "the final head comes all the same")

        let acceptor = try SessionProbe(.acceptor)
        try acceptor.take(1, isLast: true)
        for _ in 0..<100_000 {
            acceptor.respond(Self.one, head: ByteBuffer(), isInterim: true, isLast: false)
        }
        #expect(acceptor.controlBytes <= 80 << 10)
        acceptor.respond(Self.one, isLast: true)
        #expect(
            acceptor.written().last == .response(Self.one, head: Self.head, isInterim: false, isLast: true))
    }

    /// Sends messages of these frames and never takes an answer, until the session is ended.
    ///
    /// - Returns: the most that waited to be written.
    private func flood(
        _ probe: SessionProbe, messages: Int, frames: (Int) -> [MuxFrame],
        owner: (SessionEvent) -> Void = { _ in }
    ) -> (error: MuxError?, most: Int) {
        var most = 0
        for index in 0..<messages {
            do {
                var message = ByteBuffer()
                for frame in frames(index) { message.writeMuxFrame(frame) }
                probe.machine.receive(message, now: probe.now)
                while let event = try probe.machine.nextEvent(now: probe.now) {
                    owner(event)
                    most = max(most, probe.controlBytes)
                }
                most = max(most, probe.controlBytes)
            } catch {
                return (error, most)
            }
        }
        return (nil, most)
    }

    private func smallControl() -> SessionLimits {
        var limits = SessionLimits()
        limits.maximumControlBytes = 100_000
        limits.maximumStreams = 50
        return limits
    }

    @Test func pingsWhoseAnswersAreNotTakenEndTheSession() throws {
        let probe = try SessionProbe(.acceptor, limits: smallControl())
        let pings = [MuxFrame](repeating: .ping(1), count: 1000)
        let (error, most) = flood(probe, messages: 100) { _ in pings }
        #expect(error == .flooded)
        #expect(most <= 100_000 + 16)
    }

    /// Each is cheap to send; a stranger who does nothing else must not have the time of others.
    @Test(arguments: ["message", "data", "pong", "frame of an unknown type"])
    func talkThatCarriesNothingEndsTheSession(_ kind: String) throws {
        var message = ByteBuffer()
        switch kind {
        case "message": break
        case "data": message.writeMuxFrame(.data(Self.one, bytes(0), isLast: false))
        case "pong": message.writeMuxFrame(.pong(12_345))
        default: message.writeMultipleIntegers(0xee as UInt32, 0 as UInt32)
        }
        let probe = try SessionProbe(.acceptor)
        try probe.take(1, isLast: false)
        func talk() throws(MuxError) {
            probe.machine.receive(message, now: probe.now)
            #expect(try probe.events().isEmpty)
            try probe.machine.messageEnded()
        }
        // Some of it may come for ever.
        for _ in 0..<10 {
            for _ in 0..<1000 { try talk() }
            #expect(probe.tick() != nil)
        }
        for _ in 0..<1000 { try talk() }
        #expect(throws: MuxError.flooded) { try talk() }
    }

    @Test func refusalsThatAreNotTakenEndTheSession() throws {
        let probe = try SessionProbe(.acceptor, limits: smallControl())
        let (error, most) = flood(probe, messages: 100_000) { [Self.request(UInt32($0) + 1)] }
        #expect(error == .flooded)
        #expect(most <= 101_000)
        #expect(probe.streamCount == 50)
    }

    @Test(arguments: [100, 10_000]) func answersThatAreNotTakenStopFurtherRequests(headBytes: Int) throws {
        let probe = try SessionProbe(.acceptor, limits: smallControl())
        let (error, most) = flood(probe, messages: 100_000) {
            [Self.request(UInt32($0) + 1)]
        } owner: { event in
            guard case .request(let id, _, _) = event else { return }
            probe.respond(id, head: bytes(headBytes), isLast: true)
        }
        #expect(error == .flooded)
        #expect(most <= 2 * 100_000 + headBytes + 100)
        #expect(probe.streamCount == 0)
    }

    @Test func resetsByTheOwnerThatAreNotTakenStopFurtherRequests() throws {
        let probe = try SessionProbe(.acceptor, limits: smallControl())
        let reason = String(repeating: "x", count: 512)
        let (error, most) = flood(probe, messages: 100_000) {
            [Self.request(UInt32($0) + 1, isLast: false)]
        } owner: { event in
            guard case .request(let id, _, _) = event else { return }
            probe.reset(id, .malformedMessage, reason: reason)
        }
        #expect(error == .flooded)
        #expect(most <= 2 * 100_000 + 1000)
    }

    @Test func grantsThatAreNotTakenEndTheSession() throws {
        var limits = smallControl()
        limits.maximumControlBytes = 1000
        (limits.minimumWindow, limits.initialWindow, limits.maximumWindow) = (100, 100, 100)
        let probe = try SessionProbe(.acceptor, limits: limits)
        try probe.take(1)
        let (error, most) = flood(probe, messages: 10_000) { _ in
            [.data(Self.one, bytes(50), isLast: false)]
        } owner: { event in
            if case .data(let id, let bytes, _) = event { probe.consumed(id, bytes.readableBytes) }
        }
        #expect(error == .flooded)
        #expect(most <= 1024)
    }

    @Test func aPeerThatTakesItsAnswersIsNeverCutOff() throws {
        let probe = try SessionProbe(.acceptor, limits: smallControl())
        for number in 1...2000 as ClosedRange<UInt32> {
            try probe.take(number, isLast: true)
            try probe.receive([MuxFrame](repeating: .ping(1), count: 50))
            probe.respond(StreamID(number), head: bytes(1000), isLast: true)
            if number.isMultiple(of: 20) { _ = probe.written() }
        }
        #expect(probe.streamCount == 0)
    }

    @Test func ownHeadsThatWaitAreNotHeldAgainstThePeer() throws {
        let probe = try SessionProbe(.acceptor, limits: smallControl())
        for number in 1...50 as ClosedRange<UInt32> { try probe.take(number, isLast: true) }
        for number in 1...50 as ClosedRange<UInt32> {
            probe.respond(StreamID(number), head: bytes(50_000), isLast: true)
        }
        try probe.receive(.ping(1), .window(Self.one, 5))
        try probe.take(51, isLast: true)
        guard case .reset(StreamID(51), .refused, _)? = probe.written().last else {
            Issue.record("taken, although answers wait")
            return
        }
        try probe.take(52, isLast: true)
        #expect(probe.streamCount == 1)
    }

    @Test func anOpenerThatCannotWriteOpensNoMore() throws {
        let probe = try SessionProbe(.opener, limits: smallControl())
        var opened = 0
        while probe.open(head: bytes(10_000), isLast: true) != nil { opened += 1 }
        #expect(opened == 10)
        _ = probe.written()
        #expect(probe.open(isLast: true) != nil)
    }
}
