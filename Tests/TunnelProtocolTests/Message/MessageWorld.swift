import NIOCore
import TestSupport
import Testing

@testable import TunnelProtocol

/// What one end of an exchange does, and what it saw of the other. The name of an exchange is in its heads.
struct MessageExchange {
    var name: Int
    var toSend = 0
    var hasLength = true
    var sent = 0
    var isFinished = false
    /// `send` returned false and no `writable` came yet.
    var waits = false
    var hasResponded = false

    var received = 0
    var unread = 0
    var sawHead = false
    var sawEnd = false
    var ignoresRest = false
    /// Ended by a reset, ours or the machine's.
    var isCut = false
    var isLetGo = false
}

/// One end of the session, and the owner of its streams.
final class MessageWorldEnd {
    var machine: MessageMachine
    let budget: TestBudget
    var exchanges: [StreamID: MessageExchange] = [:]
    /// Fragments on their way to the other end.
    var carrier = FIFO<(payload: ByteBuffer, isLast: Bool)>()
    var isInMessage = false

    init(_ role: SessionRole, _ limits: SessionLimits, _ budget: TestBudget, _ now: MonotonicInstant) {
        self.budget = budget
        machine = MessageMachine(
            role: role, limits: limits, peer: "world", budget: budget,
            numbering: role == .opener ? ListedNumbers([31_900]) : nil, now: now)
    }
}

/// A server's and a client's machine joined by a carrier that stalls, and by owners who do random things.
final class MessageWorld {
    let server: MessageWorldEnd
    let client: MessageWorldEnd
    private(set) var random: SplitMix64
    private(set) var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    private let isKind: Bool
    private var lastName = 0
    /// What the client took of each exchange: by name.
    private var taken: [Int: StreamID] = [:]
    /// Exchanges that went through, both ways.
    private(set) var whole = 0
    private static let pattern = {
        var random = SplitMix64(seed: 98)
        let once = random.bytes(65_521)
        return once + once
    }()

    /// - Parameter isKind: nobody leaves, nothing fails, and time hardly passes.
    init(seed: UInt64, budget: Int, isKind: Bool) {
        random = SplitMix64(seed: seed)
        self.isKind = isKind
        var limits = SessionLimits(keepaliveTimeout: .seconds(600))
        limits.v1.maximumStreams = Int.random(in: 3...12, using: &random)
        (limits.minimumWindow, limits.v1.maximumStoredBytes) = (1000, 16_000)
        (limits.sendHighWater, limits.sendLowWater) = (4000, 2000)
        limits.maximumHeadBytes = 500
        server = MessageWorldEnd(.opener, limits, TestBudget(budget), now)
        client = MessageWorldEnd(.acceptor, limits, TestBudget(budget), now)
    }

    func fail(_ what: String) { Issue.record("seed \(random.seed): \(what)") }

    private func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    private static func content(_ name: Int, isRequest: Bool, from offset: Int, count: Int) -> ByteBuffer {
        let start = (name * 977 + (isRequest ? 0 : 31_337) + offset) % 65_521
        return ByteBuffer(bytes: pattern[start..<start + count])
    }

    private func newExchange(_ name: Int) -> MessageExchange {
        let most = [0, 300, 300, 3000, 10_000, 40_000].randomElement(using: &random) ?? 0
        return MessageExchange(
            name: name, toSend: Int.random(in: 0...most, using: &random),
            hasLength: Bool.random(using: &random))
    }

    private func fields(_ exchange: MessageExchange) -> ByteBuffer {
        let length = exchange.hasLength ? "Content-Length: \(exchange.toSend)|" : ""
        return wire("Name: \(exchange.name)|Promise: \(exchange.toSend)|\(length)|")
    }

    private static func number(_ field: String, in head: ByteBuffer) -> Int? {
        String(buffer: head).split(separator: "\r\n").first { $0.hasPrefix(field + ": ") }
            .flatMap { Int($0.dropFirst(field.utf8.count + 2)) }
    }

    // MARK: Steps

    func step() {
        let end = Bool.random(using: &random) ? server : client
        now = now.advanced(
            by: isKind ? .microseconds(10) : .milliseconds(Int.random(in: 0...20, using: &random)))
        switch Int.random(in: 0..<24, using: &random) {
        case 0...1: open()
        case 2...7: act(end)
        case 8...11: consumeSome(end)
        case 12...15: write(end)
        case 16...21: deliver(from: end)
        case 22: tick(end)
        default: if !isKind { disturb(end) }
        }
    }

    func open() {
        lastName += 1
        let exchange = newExchange(lastName)
        let isLast = exchange.toSend == 0
        var head = wire("\(isLast ? "GET" : "PUT") / HTTP/1.1|Host: a|")
        head.writeImmutableBuffer(isLast ? wire("Name: \(exchange.name)||") : fields(exchange))
        guard let id = server.machine.open(head: head, isLast: isLast, now: now) else { return }
        server.exchanges[id] = exchange
        server.exchanges[id]?.isFinished = isLast
    }

    private func pick(_ end: MessageWorldEnd, _ fits: (MessageExchange) -> Bool) -> StreamID? {
        end.exchanges.filter { !$0.value.isCut && fits($0.value) }.keys.sorted().randomElement(using: &random)
    }

    /// Some stream sends what is next.
    private func act(_ end: MessageWorldEnd) {
        guard let id = pick(end, { !$0.isFinished && !$0.waits }), var exchange = end.exchanges[id] else {
            return
        }
        if end === client, !exchange.hasResponded {
            guard exchange.sawEnd || chance(isKind ? 10 : 3) else { return }
            let isLast = exchange.toSend == 0
            let isLive = Bool.random(using: &random)
            var head = wire("HTTP/1.1 200 OK|" + (isLive ? "Content-Type: text/event-stream|" : ""))
            head.writeImmutableBuffer(fields(exchange))
            end.machine.respond(id, head: wire("HTTP/1.1 103 Early||"), isInterim: true, isLast: false)
            end.machine.respond(id, head: head, isInterim: false, isLast: isLast)
            exchange.hasResponded = true
            exchange.isFinished = isLast
        } else if exchange.sent < exchange.toSend {
            let count = Int.random(in: 1...min(6000, exchange.toSend - exchange.sent), using: &random)
            let bytes = Self.content(
                exchange.name, isRequest: end === server, from: exchange.sent, count: count)
            exchange.sent += count
            exchange.waits = !end.machine.send(id, bytes)
        } else {
            end.machine.finish(id, trailers: wire("A: b|"))
            exchange.isFinished = true
        }
        if end === client, exchange.isFinished, !exchange.sawEnd {
            exchange.ignoresRest = true
            end.machine.ignoreRest(id)
        }
        end.exchanges[id] = exchange
        deal(with: end)
    }

    private func consumeSome(_ end: MessageWorldEnd, all: Bool = false) {
        guard let id = pick(end, { $0.unread > 0 }), var exchange = end.exchanges[id] else { return }
        let count = all ? exchange.unread : Int.random(in: 1...exchange.unread, using: &random)
        exchange.unread -= count
        end.exchanges[id] = exchange
        end.machine.consumed(id, count, now: now)
        deal(with: end)
    }

    private func write(_ end: MessageWorldEnd) {
        guard end.machine.hasSomethingToWrite else { return }
        var payload = ByteBuffer()
        switch end.machine.write(to: &payload, budget: Int.random(in: 1...8000, using: &random)) {
        case .message(let isFirst, let isLast):
            if isFirst == end.isInMessage { fail("fragments out of order") }
            end.isInMessage = !isLast
            end.carrier.append((payload, isLast))
        case .question: break
        case nil: fail("nothing to write")
        }
        deal(with: end)
    }

    /// A piece of the oldest fragment, unless the receiver wants none.
    private func deliver(from end: MessageWorldEnd) {
        let receiver = end === server ? client : server
        guard !receiver.machine.isBlocked, let fragment = end.carrier.first else { return }
        var payload = fragment.payload
        let most = Bool.random(using: &random) ? payload.readableBytes : min(50, payload.readableBytes)
        let count = Int.random(in: min(1, most)...most, using: &random)
        if let piece = payload.readSlice(length: count) { receiver.machine.receive(piece, now: now) }
        end.carrier.updateFirst { $0.payload = payload }
        deal(with: receiver)
        guard payload.readableBytes == 0 else { return }
        _ = end.carrier.popFirst()
        guard fragment.isLast else { return }
        do { try receiver.machine.messageEnded() } catch { fail("\(error)") }
        deal(with: receiver)
    }

    private func tick(_ end: MessageWorldEnd) {
        if end.machine.tick(now: now) == nil { fail("the session died") }
        deal(with: end)
    }

    private func disturb(_ end: MessageWorldEnd) {
        guard let id = pick(end, { _ in true }), chance(3), end.machine.streams[id] != nil else { return }
        end.exchanges[id]?.isCut = true
        end.exchanges[id]?.isLetGo = true
        end.machine.reset(id, end === server ? .cancelled : .originFailed, reason: "left")
        deal(with: end)
    }

    // MARK: Events

    private func deal(with end: MessageWorldEnd) {
        do {
            while let event = try end.machine.nextEvent(now: now) { see(event, at: end) }
        } catch {
            fail("\(error) at the \(end.machine.role)")
        }
    }

    private func see(_ event: SessionEvent, at end: MessageWorldEnd) {
        switch event {
        case .ready: break
        case .peerDraining: fail("a drain nobody asked for")
        case .request(let id, let head, let isLast):
            guard let name = Self.number("Name", in: head), end === client else { return fail("no request") }
            if taken.updateValue(id, forKey: name) != nil { fail("\(name) came twice") }
            var exchange = newExchange(name)
            exchange.sawEnd = isLast
            end.exchanges[id] = exchange
        case .response(let id, let head, let isInterim, let isLast):
            update(id, end, "a head") { exchange in
                if isInterim || exchange.sawHead { fail("\(exchange.name) has two heads") }
                exchange.sawHead = true
                exchange.sawEnd = isLast
                // An answer in the place of one that failed names nothing.
                if let name = Self.number("Name", in: head) {
                    if name != exchange.name { fail("\(exchange.name) has the answer to \(name)") }
                } else if isKind {
                    fail("\(exchange.name) failed")
                } else {
                    exchange.isCut = true
                }
            }
        case .data(let id, let bytes, let isLast):
            update(id, end, "data") { exchange in
                guard !exchange.isCut else { return }
                let expected = Self.content(
                    exchange.name, isRequest: end === client, from: exchange.received,
                    count: bytes.readableBytes)
                if bytes != expected { fail("\(exchange.name) has other bytes at \(exchange.received)") }
                exchange.received += bytes.readableBytes
                exchange.unread += bytes.readableBytes
                exchange.sawEnd = isLast
            }
        case .trailers: fail("trailers")
        case .reset(let id, let code, let reason):
            if isKind { fail("\(id) reset: \(code), \(reason)") }
            update(id, end, "a reset") { $0.isCut = true }
        case .writable(let id):
            end.exchanges[id]?.waits = false
        case .overflowed(let id, .sent):
            // Nothing can be kept outside: it begins in parts.
            end.machine.release(id)
        case .overflowed(_, .received), .progressWanted: break
        }
    }

    /// Nothing may come behind an end, except to those who let go: the session's handler keeps that from them.
    private func update(
        _ id: StreamID, _ end: MessageWorldEnd, _ what: String, _ change: (inout MessageExchange) -> Void
    ) {
        guard var exchange = end.exchanges[id] else { return fail("\(what) for \(id), which is not there") }
        guard !exchange.isLetGo else { return }
        let isIgnored = exchange.ignoresRest
        let mayBeCut = what == "a reset" && !exchange.isFinished
        if exchange.sawEnd, !mayBeCut, !isIgnored { fail("\(what) for \(exchange.name) behind its end") }
        change(&exchange)
        if exchange.isCut { exchange.isLetGo = true }
        end.exchanges[id] = exchange
        // As the server's side of an exchange does: what is not needed is not sent any more.
        if end === server, exchange.sawEnd, !exchange.isFinished, !exchange.isLetGo {
            end.exchanges[id]?.isLetGo = true
            end.exchanges[id]?.isFinished = true
            end.machine.reset(id, .noError, reason: "")
        } else if exchange.isCut {
            end.machine.forget(id)
            end.machine.reset(id, .cancelled, reason: "")
        }
    }

    // MARK: The end

    /// Everybody does their part until nothing is left to do.
    func settle() {
        var quiet = 0
        while quiet < 3 {
            let before = progress
            for end in [server, client] {
                for _ in 0..<40 {
                    act(end)
                    consumeSome(end, all: true)
                }
                for _ in 0..<40 { write(end) }
                for _ in 0..<400 { deliver(from: end) }
                tick(end)
            }
            now = now.advanced(by: isKind ? .microseconds(1) : .milliseconds(500))
            quiet = progress == before ? quiet + 1 : 0
        }
    }

    private var progress: [Int] {
        [server, client].flatMap { end in
            [
                end.exchanges.values.reduce(0) { $0 + $1.sent + $1.received + ($1.isFinished ? 1 : 0) },
                end.exchanges.values.reduce(0) { $0 + ($1.isCut ? 0 : $1.unread) },
                end.exchanges.values.count { $0.hasResponded }, end.carrier.count, end.machine.streams.count,
                end.carrier.first?.payload.readableBytes ?? 0,
            ]
        }
    }

    /// What must hold once everything has settled.
    func checkEnds() {
        for end in [server, client] {
            let role = end.machine.role
            if end.machine.streamCount != 0 { fail("\(end.machine.streamCount) streams left at the \(role)") }
            if end.machine.isOccupied || end.machine.isBlocked { fail("the \(role) is not free") }
            for (id, exchange) in end.exchanges {
                if exchange.isLetGo { end.machine.forget(id) }
                if !exchange.isCut, exchange.waits, !exchange.isFinished {
                    fail("\(exchange.name) waits for ever")
                }
            }
            if end.machine.unreadRests.count != 0 { fail("unread rests at the \(role)") }
            if end.budget.taken != 0 { fail("\(end.budget.taken) of the budget left at the \(role)") }
        }
        if !server.machine.numbers.isEmpty { fail("\(server.machine.numbers.count) numbers not answered") }
        for request in server.exchanges.values where !request.isCut {
            guard let id = taken[request.name], let response = client.exchanges[id] else {
                fail("\(request.name) never came")
                continue
            }
            if !request.sawEnd || request.received != response.toSend {
                fail("\(request.name) has \(request.received) of \(response.toSend)")
            }
            if response.sawEnd, response.received != request.toSend {
                fail("\(request.name) came with \(response.received) of \(request.toSend)")
            }
            whole += 1
        }
    }
}
