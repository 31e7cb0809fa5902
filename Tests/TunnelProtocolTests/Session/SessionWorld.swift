import NIOCore
import TestSupport
import Testing

@testable import TunnelProtocol

/// What one side of an exchange is to send, and what it saw of the other.
struct WorldExchange {
    var toSend = 0
    var sent = 0
    var hasTrailers = false
    var isFinished = false
    /// `send` returned false and no `writable` came yet.
    var waits = false
    var hasResponded = false

    var received = 0
    var unread = 0
    var sawHead = false
    var sawEnd = false
    var sawTrailers = false

    var ignoresRest = false
    /// Ended by a reset, ours or the peer's.
    var isCut = false
}

/// One end of the session, and the owner of its streams.
final class WorldEnd {
    var machine: MuxMachine
    let budget: TestBudget
    var exchanges: [StreamID: WorldExchange] = [:]
    /// Messages on their way to the other end.
    var carrier = FIFO<ByteBuffer>()
    /// What of the first message is already delivered.
    var isDelivering = false

    init(_ role: SessionRole, _ limits: SessionLimits, _ budget: TestBudget, _ now: MonotonicInstant) {
        self.budget = budget
        machine = MuxMachine(
            role: role, limits: limits, settings: SessionProbe.settings, budget: budget, now: now)
    }
}

/// Two machines joined by a carrier that stalls, and by owners who do random things. It checks all they see.
final class SessionWorld {
    let server: WorldEnd
    let client: WorldEnd
    let limits: SessionLimits
    var random: SplitMix64
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    /// Streams that went through whole, both ways.
    var whole = 0
    private static let pattern = {
        var random = SplitMix64(seed: 99)
        let once = random.bytes(65_521)
        return once + once
    }()

    init(seed: UInt64, budget: Int) {
        random = SplitMix64(seed: seed)
        var limits = SessionLimits()
        limits.maximumStreams = Int.random(in: 3...20, using: &random)
        (limits.minimumWindow, limits.initialWindow, limits.maximumWindow) = (1000, 3000, 24_000)
        (limits.sendHighWater, limits.sendLowWater) = (4000, 2000)
        limits.turnBytes = Int.random(in: 300...3000, using: &random)
        (limits.maximumHeadBytes, limits.maximumMessageBytes) = (500, 10_000)
        (limits.maximumControlBytes, limits.leastBurst) = (50_000, 200)
        self.limits = limits
        server = WorldEnd(.opener, limits, TestBudget(budget), now)
        client = WorldEnd(.acceptor, limits, TestBudget(budget), now)
    }

    var description: String { "seed \(random.seed)" }

    func fail(_ what: String) { Issue.record("\(description): \(what)") }

    /// The bytes that one end of an exchange sends, from an offset on.
    static func content(_ id: StreamID, isRequest: Bool, from offset: Int, count: Int) -> ByteBuffer {
        let start = (Int(id.rawValue) * 977 + (isRequest ? 0 : 31_337) + offset) % 65_521
        return ByteBuffer(bytes: pattern[start..<start + count])
    }

    /// Mostly small bodies, some of many windows.
    func bodyBytes() -> Int {
        Int.random(
            in: 0...([0, 300, 300, 3000, 10_000, 40_000].randomElement(using: &random) ?? 0), using: &random)
    }

    func other(_ end: WorldEnd) -> WorldEnd { end === server ? client : server }

    // MARK: Carrier

    /// One message, if the machine has anything to write.
    func write(_ end: WorldEnd) {
        guard end.machine.hasSomethingToWrite else { return }
        var message = ByteBuffer()
        _ = end.machine.write(to: &message, budget: Int.random(in: 1...20_000, using: &random))
        if message.readableBytes == 0 { fail("an empty message") }
        if message.readableBytes > limits.maximumMessageBytes {
            fail("a message of \(message.readableBytes)")
        }
        end.carrier.append(message)
        deal(with: end)
    }

    /// Delivers a piece of the oldest message of one end to the other.
    func deliver(from end: WorldEnd) {
        guard var message = end.carrier.first else { return }
        let receiver = other(end)
        let most = Bool.random(using: &random) ? message.readableBytes : min(50, message.readableBytes)
        let count = Int.random(in: min(1, most)...most, using: &random)
        if let piece = message.readSlice(length: count) { receiver.machine.receive(piece, now: now) }
        end.carrier.updateFirst { $0 = message }
        deal(with: receiver)
        guard message.readableBytes == 0 else { return }
        _ = end.carrier.popFirst()
        do {
            try receiver.machine.messageEnded()
        } catch {
            fail("\(error)")
        }
    }

    // MARK: Events

    private func deal(with end: WorldEnd) {
        do {
            while let event = try end.machine.nextEvent(now: now) { see(event, at: end) }
        } catch {
            fail("\(error) at the \(end.machine.role)")
        }
    }

    private func see(_ event: SessionEvent, at end: WorldEnd) {
        switch event {
        case .ready, .peerDraining, .overflowed, .progressWanted:
            return
        case .request(let id, let head, let isLast):
            if end.exchanges[id] != nil { fail("\(id) opened twice") }
            if head != Self.head(id) { fail("\(id) has another's head") }
            var exchange = WorldExchange()
            exchange.toSend = bodyBytes()
            exchange.hasTrailers = Bool.random(using: &random)
            exchange.sawHead = true
            exchange.sawEnd = isLast
            end.exchanges[id] = exchange
        case .response(let id, let head, let isInterim, let isLast):
            update(id, at: end, "a head") { exchange in
                if head != Self.head(id) { fail("\(id) has another's head") }
                if exchange.sawHead { fail("\(id) has a head after the final one") }
                exchange.sawHead = !isInterim
                exchange.sawEnd = isLast
            }
        case .data(let id, let bytes, let isLast):
            update(id, at: end, "data") { exchange in
                if !exchange.sawHead { fail("\(id) has a body before its head") }
                let expected = Self.content(
                    id, isRequest: end === client, from: exchange.received, count: bytes.readableBytes)
                if bytes != expected { fail("\(id) has wrong bytes at \(exchange.received)") }
                exchange.received += bytes.readableBytes
                exchange.unread += bytes.readableBytes
                if exchange.unread > limits.maximumWindow { fail("\(id) has \(exchange.unread) unread") }
                exchange.sawEnd = isLast
            }
        case .trailers(let id, let fields):
            update(id, at: end, "trailers") { exchange in
                if !exchange.sawHead || fields != Self.head(id) { fail("\(id) has wrong trailers") }
                exchange.sawTrailers = true
                exchange.sawEnd = true
            }
        case .reset(let id, _, _):
            if end.exchanges[id]?.isCut ?? true { fail("\(id) was reset twice") }
            end.exchanges[id]?.isCut = true
        case .writable(let id):
            if !(end.exchanges[id]?.waits ?? false) { fail("\(id) became writable unasked") }
            end.exchanges[id]?.waits = false
        }
    }

    private func update(
        _ id: StreamID, at end: WorldEnd, _ what: String, _ change: (inout WorldExchange) -> Void
    ) {
        guard var exchange = end.exchanges[id] else { return fail("\(what) for an unknown stream") }
        if exchange.isCut { fail("\(what) for \(id) after its reset") }
        if exchange.sawEnd { fail("\(what) for \(id) after its end") }
        if exchange.ignoresRest, end === client { fail("\(what) for \(id), which is ignored") }
        change(&exchange)
        end.exchanges[id] = exchange
    }

    static func head(_ id: StreamID) -> ByteBuffer { ByteBuffer(string: "head of \(id)") }
}
