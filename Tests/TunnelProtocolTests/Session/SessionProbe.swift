import NIOCore
import Testing

@testable import TunnelProtocol

/// One machine, fed with frames by hand and read by what it writes.
final class SessionProbe {
    var machine: MuxMachine
    let budget: TestBudget
    var now: MonotonicInstant

    /// - Parameters:
    ///   - shared: the budget of several; nil for one of its own.
    ///   - isReady: whether settings are exchanged already and what we wrote for it is thrown away.
    init(
        _ role: SessionRole, limits: SessionLimits = SessionLimits(), budget: Int = 1 << 30,
        sharing shared: TestBudget? = nil,
        isReady: Bool = true, peer: SessionSettings = SessionProbe.settings
    ) throws {
        let budget = shared ?? TestBudget(budget)
        self.budget = budget
        now = MonotonicInstant(nanoseconds: 1_000_000_000)
        machine = MuxMachine(
            role: role, limits: limits, settings: Self.settings, budget: budget, now: now)
        if isReady {
            #expect(try receive(.settings(peer)) == [.ready(peer)])
            _ = written()
        }
    }

    // The macros of the tests would copy the machine: these stand between.
    var streamCount: Int { machine.streamCount }
    var streams: [StreamID: MuxStream] {
        Dictionary(uniqueKeysWithValues: zip(machine.streams.keys, machine.streams.values))
    }
    /// Streams that are over while their reader still holds what came.
    var unreadCount: Int { machine.unreadWindows.count }
    func forgetAll() { for id in machine.unreadWindows.keys { machine.forget(id) } }
    var promised: Int { machine.promised }
    var controlBytes: Int { machine.control.readableBytes }
    var hasSomethingToWrite: Bool { machine.hasSomethingToWrite }
    var isDraining: Bool { machine.isDraining }
    var isPeerDraining: Bool { machine.isPeerDraining }
    var isDrained: Bool { machine.isDrained }
    var roundTrip: Duration? { machine.roundTrip }
    func open(head: ByteBuffer = SessionProbe.head, isLast: Bool) -> StreamID? {
        machine.open(head: head, isLast: isLast, now: now)
    }
    func respond(_ id: StreamID, head: ByteBuffer = SessionProbe.head, isInterim: Bool = false, isLast: Bool)
    {
        machine.respond(id, head: head, isInterim: isInterim, isLast: isLast)
    }
    func send(_ id: StreamID, _ bytes: ByteBuffer) -> Bool { machine.send(id, bytes) }
    func finish(_ id: StreamID, trailers: ByteBuffer? = nil) { machine.finish(id, trailers: trailers) }
    func ignoreRest(_ id: StreamID) { machine.ignoreRest(id) }
    func reset(_ id: StreamID, _ code: ResetCode, reason: String = "") {
        machine.reset(id, code, reason: reason)
    }
    func breakOff(_ id: StreamID, _ code: ResetCode, reason: String) {
        machine.breakOff(id, code, reason: reason)
    }
    func consumed(_ id: StreamID, _ count: Int) { machine.consumed(id, count, now: now) }
    func drain() { machine.drain(reason: "reload", now: now) }
    func setKeepaliveTimeout(_ timeout: Duration) { machine.setKeepaliveTimeout(timeout, now: now) }
    func tick() -> MonotonicInstant? { machine.tick(now: now) }

    static let settings = SessionSettings(maximumStreams: 1000, initialWindow: 1 << 20, software: "test")

    func advance(_ duration: Duration) { now = now.advanced(by: duration) }

    /// Feeds a message of these frames.
    @discardableResult
    func receive(_ frames: MuxFrame...) throws(MuxError) -> [SessionEvent] {
        try receive(frames)
    }

    @discardableResult
    func receive(_ frames: [MuxFrame]) throws(MuxError) -> [SessionEvent] {
        var message = ByteBuffer()
        for frame in frames { message.writeMuxFrame(frame) }
        machine.receive(message, now: now)
        let events = try events()
        try machine.messageEnded()
        return events
    }

    func events() throws(MuxError) -> [SessionEvent] {
        var events: [SessionEvent] = []
        while let event = try machine.nextEvent(now: now) { events.append(event) }
        return events
    }

    /// One message.
    func message(budget: Int = 64 << 10) -> ByteBuffer {
        var message = ByteBuffer()
        _ = machine.write(to: &message, budget: budget)
        return message
    }

    /// The frames of all messages that there are to write.
    func written(budget: Int = 64 << 10) -> [MuxFrame] {
        var frames: [MuxFrame] = []
        while hasSomethingToWrite {
            let message = message(budget: budget)
            #expect(message.readableBytes > 0, "there was said to be something to write")
            guard message.readableBytes > 0 else { break }
            frames += Self.frames(of: message)
        }
        return frames
    }

    static func frames(of message: ByteBuffer) -> [MuxFrame] {
        var decoder = MuxDecoder(maximumHeadBytes: 1 << 20 - 8)
        decoder.feed(message)
        var frames: [MuxFrame] = []
        do {
            while let frame = try decoder.next() { frames.append(frame) }
            try decoder.messageEnded()
        } catch {
            Issue.record("our own message is malformed: \(error)")
        }
        return frames
    }

    /// Opens a stream whose answer's final head has come.
    func openAnswered(isLast: Bool = false) throws -> StreamID {
        let id = try #require(open(isLast: isLast))
        try receive(.response(id, head: Self.head, isInterim: false, isLast: false))
        return id
    }

    /// Takes a stream from the peer.
    func take(_ number: UInt32, window: Int = 1 << 20, isLast: Bool = false) throws {
        try receive(.request(StreamID(number), window: window, head: Self.head, isLast: isLast))
    }

    static let head = ByteBuffer(string: "head")
}

func bytes(_ count: Int, of byte: UInt8 = 0x61) -> ByteBuffer {
    ByteBuffer(repeating: byte, count: count)
}

extension MuxMachine {
    /// However much work that is.
    mutating func nextEvent(now: MonotonicInstant) throws(MuxError) -> SessionEvent? {
        var work = Int.max
        return try nextEvent(now: now, work: &work)
    }
}
