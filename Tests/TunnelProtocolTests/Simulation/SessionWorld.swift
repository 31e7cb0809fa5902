import DequeModule
import NIOCore
import TestSupport
import Testing

@testable import TunnelProtocol

/// What one side of an exchange is to send, and what it saw of the other.
struct WorldExchange {
    /// What its heads and trailers say, at both ends: identifiers are each end's own.
    let name: Int
    /// Its final head, and the interim one.
    var head = ByteBuffer()
    var interimHead = ByteBuffer()
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
    /// Its owner wants to hear no more of it.
    var isLetGo = false

    var trailers: ByteBuffer { wire("Name: \(name)|") }
}

/// One end of the session, and the owner of its streams.
final class WorldEnd<Tested: SimulatedProtocol> {
    let role: SessionRole
    var machine: Tested.Machine
    let budget: TestBudget
    var exchanges: [StreamID: WorldExchange] = [:]
    /// By the names of the exchanges.
    var ids: [Int: StreamID] = [:]
    /// Messages, or pieces of them, on their way to the other end.
    var carrier = Deque<(payload: ByteBuffer, isLast: Bool)>()
    /// Whether a message has begun and not ended.
    var isInMessage = false

    init(_ role: SessionRole, _ limits: SessionLimits, _ budget: TestBudget, _ now: MonotonicInstant) {
        self.role = role
        self.budget = budget
        machine = Tested.machine(role, limits, budget, now)
    }

    func exchange(named name: Int) -> WorldExchange? { ids[name].flatMap { exchanges[$0] } }
}

/// A server's and a client's machine joined by a carrier that stalls, and by owners who do random things. It checks all
/// that they see.
final class SessionWorld<Tested: SimulatedProtocol> {
    let server: WorldEnd<Tested>
    let client: WorldEnd<Tested>
    let limits: SessionLimits
    let isKind: Bool
    var random: SplitMix64
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    /// Exchanges that went through whole, both ways.
    var whole = 0

    /// - Parameters:
    ///   - budget: of each end, in bytes.
    ///   - isKind: nobody leaves, nothing fails.
    init(seed: UInt64, budget: Int, isKind: Bool) {
        random = SplitMix64(seed: seed)
        self.isKind = isKind
        var limits = SessionLimits(keepaliveTimeout: .seconds(600))
        limits.maximumStreams = Int.random(in: 3...20, using: &random)
        limits.v1.maximumStreams = Int.random(in: 3...12, using: &random)
        (limits.minimumWindow, limits.initialWindow, limits.maximumWindow) = (1000, 3000, 24_000)
        limits.v1.maximumStoredBytes = 16_000
        (limits.sendHighWater, limits.sendLowWater) = (4000, 2000)
        limits.turnBytes = Int.random(in: 300...3000, using: &random)
        (limits.maximumHeadBytes, limits.maximumMessageBytes) = (500, 10_000)
        (limits.maximumControlBytes, limits.leastBurst) = (50_000, 200)
        self.limits = limits
        server = WorldEnd(.opener, limits, TestBudget(budget), now)
        client = WorldEnd(.acceptor, limits, TestBudget(budget), now)
    }

    var promises: SessionPromises { Tested.promises }

    func fail(_ what: String) { Issue.record("seed \(random.seed) of \(Tested.self): \(what)") }

    func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    func other(_ end: WorldEnd<Tested>) -> WorldEnd<Tested> { end === server ? client : server }

    /// An exchange whose bodies are mostly small, and some of many windows.
    func newExchange(_ name: Int) -> WorldExchange {
        let most = [0, 300, 300, 3000, 10_000, 40_000].randomElement(using: &random) ?? 0
        var exchange = WorldExchange(name: name)
        exchange.toSend = Int.random(in: 0...most, using: &random)
        exchange.hasTrailers = Bool.random(using: &random)
        return exchange
    }

    // MARK: Carrier

    /// One message or a piece of it, if the machine has anything to write.
    func write(_ end: WorldEnd<Tested>) {
        guard end.machine.hasSomethingToWrite else { return }
        var payload = ByteBuffer()
        switch end.machine.write(to: &payload, budget: Int.random(in: 1...20_000, using: &random)) {
        case .message(let isFirst, let isLast):
            if isFirst == end.isInMessage { fail("pieces of messages out of order") }
            end.isInMessage = !isLast
            if let fault = Tested.fault(in: payload, limits) { fail(fault) }
            end.carrier.append((payload, isLast))
        case .question: break
        case nil: fail("nothing to write")
        }
        deal(with: end)
    }

    /// Delivers a part of the oldest message or piece of one to the other end, unless that wants none.
    func deliver(from end: WorldEnd<Tested>) {
        let receiver = other(end)
        guard !receiver.machine.isBlocked, let piece = end.carrier.first else { return }
        var payload = piece.payload
        let most = Bool.random(using: &random) ? payload.readableBytes : min(50, payload.readableBytes)
        let count = Int.random(in: min(1, most)...most, using: &random)
        if let part = payload.readSlice(length: count) { receiver.machine.receive(part, now: now) }
        if !end.carrier.isEmpty { end.carrier[0].payload = payload }
        deal(with: receiver)
        guard payload.readableBytes == 0 else { return }
        _ = end.carrier.popFirst()
        guard piece.isLast else { return }
        do { try receiver.machine.messageEnded() } catch { fail("\(error)") }
        deal(with: receiver)
    }

    // MARK: Events

    func deal(with end: WorldEnd<Tested>) {
        do {
            var work = Int.max
            while let event = try end.machine.nextEvent(now: now, work: &work) {
                see(event, at: end)
                work = .max
            }
        } catch {
            fail("\(error) at the \(end.role)")
        }
    }

    private func see(_ event: SessionEvent, at end: WorldEnd<Tested>) {
        switch event {
        case .ready, .progressWanted, .hostsRuled, .overflowed(_, .received): break
        case .overflowed(let id, .sent):
            // Nothing can be kept outside: it begins in parts.
            Tested.release(&end.machine, id)
        case .peerDraining: if !promises.tellsOfDrain { fail("a drain that nobody can tell of") }
        case .request(let id, let head, let isLast): opened(id, head, isLast, at: end)
        case .response(let id, let head, let isInterim, let isLast, _):
            update(id, at: end, "a head") { exchange in
                if exchange.sawHead { fail("\(exchange.name) has a head after the final one") }
                if isInterim, !promises.carriesAllOfMessages { fail("\(exchange.name) has an interim head") }
                if isInterim, isLast { fail("\(exchange.name) ends with an interim head") }
                exchange.sawHead = !isInterim
                exchange.sawEnd = isLast
                let sender = client.exchange(named: exchange.name)
                let expected = isInterim ? sender?.interimHead : sender?.head
                // What a machine says in the place of an origin names nothing.
                if Self.name(in: head) == nil, !isKind, promises.answersInPlace {
                    exchange.isCut = true
                } else if Self.name(in: head) != exchange.name {
                    fail("\(exchange.name) has another's head")
                } else if head != expected, promises.carriesAllOfMessages {
                    fail("\(exchange.name) has another head")
                }
            }
        case .data(let id, let bytes, let isLast):
            update(id, at: end, "data") { exchange in
                if !exchange.sawHead { fail("\(exchange.name) has a body before its head") }
                let expected = WorldContent.bytes(
                    exchange.name, isRequest: end === client, from: exchange.received,
                    count: bytes.readableBytes)
                if bytes != expected { fail("\(exchange.name) has wrong bytes at \(exchange.received)") }
                exchange.received += bytes.readableBytes
                exchange.unread += bytes.readableBytes
                if exchange.unread > promises.mostUnread(limits) {
                    fail("\(exchange.name) has \(exchange.unread) unread")
                }
                exchange.sawEnd = isLast
            }
        case .trailers(let id, let fields):
            update(id, at: end, "trailers") { exchange in
                if !exchange.sawHead || fields != exchange.trailers || !promises.carriesAllOfMessages {
                    fail("\(exchange.name) has wrong trailers")
                }
                exchange.sawTrailers = true
                exchange.sawEnd = true
            }
        case .reset(let id, let code, let reason):
            if isKind { fail("\(id) reset: \(code), \(reason)") }
            update(id, at: end, "a reset") { $0.isCut = true }
        case .writable(let id):
            if promises.tellsEverySender, !(end.exchanges[id]?.waits ?? false) {
                fail("\(id) became writable unasked")
            }
            end.exchanges[id]?.waits = false
        }
    }

    private func opened(_ id: StreamID, _ head: ByteBuffer, _ isLast: Bool, at end: WorldEnd<Tested>) {
        guard let name = Self.name(in: head), end === client else { return fail("no request") }
        if end.exchanges[id] != nil || end.ids[name] != nil { fail("\(name) came twice") }
        if promises.carriesAllOfMessages, head != server.exchange(named: name)?.head {
            fail("\(name) has another's head")
        }
        var exchange = newExchange(name)
        exchange.sawHead = true
        exchange.sawEnd = isLast
        end.exchanges[id] = exchange
        end.ids[name] = id
    }

    /// What comes for a stream must be for one that is open, and not behind its end.
    private func update(
        _ id: StreamID, at end: WorldEnd<Tested>, _ what: String, _ change: (inout WorldExchange) -> Void
    ) {
        guard var exchange = end.exchanges[id] else { return fail("\(what) for an unknown stream") }
        // Where the machine does not, the session's handler keeps it from those who have let go.
        guard promises.isSilentBehindReset || !exchange.isLetGo else { return }
        let isReset = what == "a reset"
        if exchange.isCut { fail("\(what) for \(exchange.name) after its reset") }
        if exchange.sawEnd, !isReset || exchange.isFinished && !promises.resetsMayCross {
            fail("\(what) for \(exchange.name) after its end")
        }
        if exchange.ignoresRest, end === client, !isReset {
            fail("\(what) for \(exchange.name), which is ignored")
        }
        change(&exchange)
        end.exchanges[id] = exchange
        if exchange.isCut {
            if !promises.isSilentBehindReset || chance(2) { letGo(id, at: end, .cancelled) }
        } else if promises.answerEndsExchange, end === server, exchange.sawEnd, !exchange.isFinished {
            end.exchanges[id]?.isFinished = true
            letGo(id, at: end, .noError)
        }
    }

    /// The owner of a stream wants to hear no more of it.
    func letGo(_ id: StreamID, at end: WorldEnd<Tested>, _ code: ResetCode) {
        end.exchanges[id]?.isLetGo = true
        end.exchanges[id]?.unread = 0
        end.machine.forget(id)
        end.machine.reset(id, code, reason: "left")
    }

    private static func name(in head: ByteBuffer) -> Int? {
        String(buffer: head).split(separator: "\r\n").first { $0.hasPrefix("Name: ") }
            .flatMap { Int($0.dropFirst("Name: ".utf8.count)) }
    }
}

/// Bodies, each with its own bytes at every offset.
enum WorldContent {
    private static let pattern = {
        var random = SplitMix64(seed: 99)
        let once = random.bytes(65_521)
        return once + once
    }()

    /// The bytes that one side of an exchange sends, from an offset on.
    static func bytes(_ name: Int, isRequest: Bool, from offset: Int, count: Int) -> ByteBuffer {
        let start = (name * 977 + (isRequest ? 0 : 31_337) + offset) % 65_521
        return ByteBuffer(bytes: pattern[start..<start + count])
    }
}
