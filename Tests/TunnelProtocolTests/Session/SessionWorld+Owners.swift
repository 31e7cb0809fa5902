import NIOCore
import Testing

@testable import TunnelProtocol

/// What the owners of the streams do.
extension SessionWorld {
    /// One random action of anybody. Rare ones (resets, ignoring) are left out when `isKind`.
    func step(isKind: Bool) {
        now = now.advanced(by: .microseconds(Int.random(in: 0...2000, using: &random)))
        let end = Bool.random(using: &random) ? server : client
        switch Int.random(in: 0..<20, using: &random) {
        case 0...1: open()
        case 2...5: sendSome(end)
        case 6...8: consumeSome(end)
        case 9...11: if end.carrier.count < 3 { write(end) }
        case 12...17: deliver(from: end)
        case 18: if !isKind { disturb(end) }
        default: if end.machine.tick(now: now) == nil { fail("the peer is taken for dead") }
        }
    }

    func open() {
        let toSend = bodyBytes()
        let isLast = toSend == 0 && Bool.random(using: &random)
        // The identifier is told by the machine, and the head is of it.
        let next = StreamID(UInt32(server.exchanges.count) + 1)
        guard let id = server.machine.open(head: Self.head(next), isLast: isLast, now: now) else { return }
        if id != next { fail("\(id) was opened instead of \(next)") }
        var exchange = WorldExchange()
        exchange.toSend = toSend
        exchange.isFinished = isLast
        exchange.hasTrailers = Bool.random(using: &random)
        exchange.hasResponded = true
        server.exchanges[id] = exchange
    }

    private func pick(_ end: WorldEnd, _ filter: (WorldExchange) -> Bool) -> StreamID? {
        end.exchanges.filter { filter($0.value) }.keys.sorted().randomElement(using: &random)
    }

    /// Goes on with the answer or the body of one stream of this end.
    func sendSome(_ end: WorldEnd) {
        // A rude sender now and then does not wait.
        let isRude = Int.random(in: 0..<30, using: &random) == 0
        guard
            let id = pick(end, { !$0.isCut && !$0.isFinished && (!$0.waits || isRude) }),
            var exchange = end.exchanges[id]
        else { return }
        if !exchange.hasResponded {
            let isInterim = Int.random(in: 0..<4, using: &random) == 0
            let isLast = !isInterim && exchange.toSend == 0 && Bool.random(using: &random)
            end.machine.respond(id, head: Self.head(id), isInterim: isInterim, isLast: isLast)
            exchange.hasResponded = !isInterim
            exchange.isFinished = isLast
            if isLast { exchange.hasTrailers = false }
        } else if exchange.sent < exchange.toSend {
            let count = Int.random(in: 1...min(6000, exchange.toSend - exchange.sent), using: &random)
            let bytes = Self.content(id, isRequest: end === server, from: exchange.sent, count: count)
            exchange.sent += count
            if !end.machine.send(id, bytes) { exchange.waits = true }
        } else {
            end.machine.finish(id, trailers: exchange.hasTrailers ? Self.head(id) : nil)
            exchange.isFinished = true
        }
        end.exchanges[id] = exchange
    }

    func consumeSome(_ end: WorldEnd, all: Bool = false) {
        guard let id = pick(end, { $0.unread > 0 }), var exchange = end.exchanges[id] else { return }
        let count = all ? exchange.unread : Int.random(in: 1...exchange.unread, using: &random)
        exchange.unread -= count
        end.machine.consumed(id, count, now: now)
        end.exchanges[id] = exchange
    }

    private func disturb(_ end: WorldEnd) {
        guard let id = pick(end, { !$0.isCut }), var exchange = end.exchanges[id] else { return }
        // A stream that is through cannot be cut any more.
        guard end.machine.streams[id] != nil else { return }
        if end === client, Bool.random(using: &random) {
            end.machine.ignoreRest(id)
            exchange.ignoresRest = true
        } else if Int.random(in: 0..<3, using: &random) == 0 {
            end.machine.reset(id, .cancelled, reason: "left")
            exchange.isCut = true
        }
        end.exchanges[id] = exchange
    }

    /// Everybody does their part until nothing is left to do.
    func settle() {
        var quiet = 0
        while quiet < 3 {
            let before = progress
            for end in [server, client] {
                for _ in 0..<40 {
                    sendSome(end)
                    consumeSome(end, all: true)
                }
                for _ in 0..<40 { write(end) }
                for _ in 0..<400 { deliver(from: end) }
            }
            quiet = progress == before ? quiet + 1 : 0
        }
    }

    private var progress: [Int] {
        [server, client].flatMap { end in
            [
                end.exchanges.values.reduce(0) { $0 + $1.sent + $1.received + ($1.isFinished ? 1 : 0) },
                end.exchanges.values.reduce(0) { $0 + $1.unread }, end.carrier.count,
                end.machine.streams.count,
                end.carrier.first?.readableBytes ?? 0, end.machine.control.readableBytes,
            ]
        }
    }

    /// What must hold once everything has settled.
    func checkEnds() {
        for end in [server, client] {
            let role = end.machine.role
            if end.machine.streamCount != 0 {
                fail("\(end.machine.streamCount) streams leaked at the \(role)")
            }
            if end.machine.turns.count != 0 { fail("\(end.machine.turns.count) scheduled for ever") }
            if end.budget.taken != 0 { fail("\(end.budget.taken) of the budget leaked at the \(role)") }
            if end.budget.most > end.budget.total { fail("the budget was overdrawn") }
            for (id, exchange) in end.exchanges where !exchange.isCut && exchange.waits {
                fail("the sender of \(id) at the \(role) was never told to go on")
            }
        }
        for (id, request) in server.exchanges where !request.isCut {
            guard let response = client.exchanges[id], !response.isCut else {
                // Cut by the client's reset after our end: both directions were through for us.
                if !request.sawEnd { fail("\(id) never ended at the server") }
                continue
            }
            if !request.sawEnd { fail("the answer of \(id) never ended") }
            if request.received != response.toSend {
                fail("\(id) has \(request.received) of \(response.toSend)")
            }
            if request.sawTrailers != response.hasTrailers { fail("\(id) lost its trailers") }
            guard !response.ignoresRest else { continue }
            if response.received != request.toSend || !response.sawEnd {
                fail("\(id) lost a part of its request")
            }
            whole += 1
        }
    }
}
