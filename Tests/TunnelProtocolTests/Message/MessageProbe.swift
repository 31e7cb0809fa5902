import NIOCore
import Synchronization
import Testing

@testable import TunnelProtocol

/// One machine of protocol v1, fed with messages by hand and read by what it writes.
///
/// Texts are HTTP with `|` for CRLF. A frame that it wrote reads as its payload, with `<` before the first of a message
/// and `>` behind the last.
final class MessageProbe {
    var machine: MessageMachine
    let budget: TestBudget
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)

    /// - Parameter numbers: what the token's count gives, one after another; then on from the last.
    init(
        _ role: SessionRole, limits: SessionLimits = SessionLimits(), budget: Int = 1 << 30,
        numbers: [UInt16] = [1]
    ) throws {
        let budget = TestBudget(budget)
        self.budget = budget
        machine = MessageMachine(
            role: role, limits: limits, peer: "test", budget: budget,
            numbering: role == .opener ? ListedNumbers(numbers) : nil, now: now)
        var settings = SessionSettings(
            maximumStreams: limits.v1.maximumStreams, initialWindow: limits.minimumWindow,
            software: "test")
        settings.version = .v1
        let ready = try machine.nextEvent(now: now)
        #expect(ready == .ready(settings))
    }

    // The macros of the tests would copy the machine: these stand between.
    var streamCount: Int { machine.streamCount }
    var numbersInUse: Int { machine.numbers.count }
    /// Streams that are over while their reader still holds what came.
    var unreadCount: Int { machine.unreadRests.count }
    var hasSomethingToWrite: Bool { machine.hasSomethingToWrite }
    var isDraining: Bool { machine.isDraining }
    var isDrained: Bool { machine.isDrained }
    var isBlocked: Bool { machine.isBlocked }
    var isOccupied: Bool { machine.isOccupied }
    var canProbe: Bool { machine.canProbe }
    var untouched: Set<StreamID> { machine.untouchedStreams }
    /// How long until it wants to be called because streams stand in each other's way.
    var urgency: Duration? { machine.patienceEnd?.since(now) }

    func open(_ head: String = "GET / HTTP/1.1|Host: a||", isLast: Bool = true) -> StreamID? {
        machine.open(head: wire(head), isLast: isLast, now: now)
    }
    func respond(
        _ id: StreamID, _ head: String = "HTTP/1.1 200 OK||", isInterim: Bool = false, isLast: Bool = false
    ) {
        machine.respond(id, head: wire(head), isInterim: isInterim, isLast: isLast)
    }
    @discardableResult func send(_ id: StreamID, _ text: String) -> Bool { machine.send(id, wire(text)) }
    @discardableResult func send(_ id: StreamID, bytes: ByteBuffer) -> Bool { machine.send(id, bytes) }
    func finish(_ id: StreamID, trailers: String? = nil) {
        machine.finish(id, trailers: trailers.map { wire($0) })
    }
    func ignoreRest(_ id: StreamID) { machine.ignoreRest(id) }
    func reset(_ id: StreamID, _ code: ResetCode = .cancelled, reason: String = "left") {
        machine.reset(id, code, reason: reason)
    }
    func breakOff(_ id: StreamID, _ code: ResetCode) { machine.breakOff(id, code, reason: "broke") }
    func consumed(_ id: StreamID, _ count: Int) { machine.consumed(id, count, now: now) }
    func keptElsewhere(_ id: StreamID, _ count: Int) { machine.keptElsewhere(id, count) }
    func release(_ id: StreamID) { machine.release(id) }
    func forget(_ id: StreamID) { machine.forget(id) }
    func drain() { machine.drain(reason: "reload", now: now) }
    func setKeepaliveTimeout(_ timeout: Duration) { machine.setKeepaliveTimeout(timeout, now: now) }
    @discardableResult func tick() -> MonotonicInstant? { machine.tick(now: now) }
    func advance(_ duration: Duration) { now = now.advanced(by: duration) }

    /// Feeds a message or a part of one.
    ///
    /// - Parameters:
    ///   - isLast: whether the message ends behind it.
    ///   - size: of the pieces in which it comes.
    @discardableResult
    func receive(_ text: String, isLast: Bool = true, inPiecesOf size: Int = .max) throws -> [String] {
        var rest = wire(text)
        var seen = try receive(ByteBuffer())
        while let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 {
            seen += try receive(piece)
        }
        if isLast { seen += try endMessage() }
        return Self.story(seen)
    }

    /// Feeds a part of a message.
    func receive(_ piece: ByteBuffer) throws -> [SessionEvent] {
        machine.receive(piece, now: now)
        return try rawEvents()
    }

    /// The message that came ends.
    func endMessage() throws -> [SessionEvent] {
        try machine.messageEnded()
        return try rawEvents()
    }

    func rawEvents() throws -> [SessionEvent] {
        var events: [SessionEvent] = []
        while let event = try machine.nextEvent(now: now) { events.append(event) }
        return events
    }

    func events() throws -> [String] { Self.story(try rawEvents()) }

    /// One frame.
    func frame(budget: Int = 64 << 10) -> String? {
        var payload = ByteBuffer()
        guard let kind = machine.write(to: &payload, budget: budget) else { return nil }
        switch kind {
        case .question: return "ping"
        case .message(let isFirst, let isLast):
            return (isFirst ? "<" : "") + shown(payload) + (isLast ? ">" : "")
        }
    }

    /// Everything that there is to write.
    func written(budget: Int = 64 << 10) -> [String] {
        var frames: [String] = []
        while hasSomethingToWrite {
            guard let frame = frame(budget: budget) else {
                Issue.record("there was said to be something to write")
                break
            }
            frames.append(frame)
        }
        return frames
    }

    /// Events in words; bytes of one body that came in pieces are put together.
    static func story(_ events: [SessionEvent]) -> [String] {
        var story: [String] = []
        var lastData: StreamID?
        for event in events {
            if case .data(let id, let bytes, false) = event, id == lastData {
                story[story.count - 1] += shown(bytes)
                continue
            }
            lastData = nil
            switch event {
            case .ready: story.append("ready")
            case .request(let id, let head, let isLast):
                story.append("\(id) request \(shown(head))" + (isLast ? " last" : ""))
            case .response(let id, let head, let isInterim, let isLast, _):
                let kind = isInterim ? "interim" : "response"
                story.append("\(id) \(kind) \(shown(head))" + (isLast ? " last" : ""))
            case .data(let id, let bytes, false):
                lastData = id
                story.append("\(id) data \(shown(bytes))")
            case .data(let id, let bytes, true):
                story.append("\(id) end" + shown(bytes))
            case .trailers(let id, let lines): story.append("\(id) trailers \(shown(lines))")
            case .reset(let id, let code, _): story.append("\(id) reset \(code)")
            case .writable(let id): story.append("\(id) writable")
            case .peerDraining: story.append("draining")
            case .overflowed(let id, let direction): story.append("\(id) overflowed \(direction)")
            // It brings about nothing by itself.
            case .progressWanted, .hostsRuled: break
            }
        }
        return story
    }
}

/// A count that is told what to say.
final class ListedNumbers: RequestNumbering {
    private let state: Mutex<(listed: [UInt16], last: UInt16)>

    init(_ numbers: [UInt16]) { state = Mutex((numbers, 0)) }

    func next() -> UInt16 {
        state.withLock { state in
            state.last =
                state.listed.isEmpty
                ? (state.last + 1) % RequestNumber.modulus : state.listed.removeFirst()
            return state.last
        }
    }
}

/// HTTP out of text in which `|` stands for CRLF.
func wire(_ text: String) -> ByteBuffer {
    ByteBuffer(string: text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\r\n"))
}

/// The head of an answer that is meant to be read while it is written, and how its message begins.
let liveAnswer = "HTTP/1.1 200 OK|Content-Type: text/event-stream||"
let liveBegin = "HTTP/1.1 200 OK|Content-Type: text/event-stream|Transfer-Encoding: chunked||"

/// The bytes before an offset and those behind it.
func halves(_ bytes: ByteBuffer, at offset: Int) -> [ByteBuffer] {
    let start = bytes.readerIndex
    return [
        bytes.getSlice(at: start, length: offset) ?? ByteBuffer(),
        bytes.getSlice(at: start + offset, length: bytes.readableBytes - offset) ?? ByteBuffer(),
    ]
}

private func shown(_ bytes: ByteBuffer) -> String {
    String(decoding: bytes.readableBytesView, as: UTF8.self)
        .split(separator: "\r\n", omittingEmptySubsequences: false).joined(separator: "|")
}

extension MessageMachine {
    /// However much work that is.
    mutating func nextEvent(now: MonotonicInstant) throws(MessageError) -> SessionEvent? {
        var work = Int.max
        return try nextEvent(now: now, work: &work)
    }
}
