import NIOCore
import Testing

@testable import TunnelProtocol

/// What the owners of the streams do.
extension SessionWorld {
    func steps(_ count: Int) { for _ in 0..<count { step() } }

    /// One random action of anybody.
    private func step() {
        now = now.advanced(
            by: .microseconds(Int.random(in: Tested.stepTime(isKind: isKind), using: &random)))
        let end = Bool.random(using: &random) ? server : client
        switch Int.random(in: 0..<20, using: &random) {
        case 0...1: open()
        case 2...5: act(end)
        case 6...8: consumeSome(end)
        case 9...11: if end.carrier.count < 3 { write(end) }
        case 12...17: deliver(from: end)
        case 18: if !isKind { disturb(end) }
        default: tick(end)
        }
    }

    private func open() {
        var exchange = newExchange(server.exchanges.count + 1)
        let isLast = exchange.toSend == 0 && Bool.random(using: &random)
        exchange.head = head("\(isLast ? "GET" : "PUT") / HTTP/1.1|Host: a|", of: exchange, isLast: isLast)
        exchange.isFinished = isLast
        exchange.hasTrailers = exchange.hasTrailers && !isLast
        guard let id = server.machine.open(head: exchange.head, isLast: isLast, now: now) else { return }
        if server.exchanges[id] != nil { fail("\(id) was opened twice") }
        server.exchanges[id] = exchange
        server.ids[exchange.name] = id
        deal(with: server)
    }

    /// A head that tells whose it is, and now and then how long its body is.
    private func head(_ start: String, of exchange: WorldExchange, isLast: Bool) -> ByteBuffer {
        let hasLength = !isLast && Bool.random(using: &random)
        return wire(
            start + "Name: \(exchange.name)|" + (hasLength ? "Content-Length: \(exchange.toSend)|" : "") + "|"
        )
    }

    private func pick(_ end: WorldEnd<Tested>, _ fits: (WorldExchange) -> Bool) -> StreamID? {
        end.exchanges.filter { fits($0.value) }.keys.sorted().randomElement(using: &random)
    }

    /// Goes on with the answer or the body of one stream of this end.
    private func act(_ end: WorldEnd<Tested>) {
        // A rude sender now and then does not wait.
        let isRude = promises.tellsEverySender && chance(30)
        guard
            let id = pick(end, { !$0.isCut && !$0.isFinished && (!$0.waits || isRude) }),
            var exchange = end.exchanges[id]
        else { return }
        if end === client, !exchange.hasResponded {
            guard exchange.sawEnd || chance(isKind ? 10 : 3) else { return }
            respond(id, &exchange)
        } else if exchange.sent < exchange.toSend {
            let count = Int.random(in: 1...min(6000, exchange.toSend - exchange.sent), using: &random)
            let bytes = WorldContent.bytes(
                exchange.name, isRequest: end === server, from: exchange.sent, count: count)
            exchange.sent += count
            if !end.machine.send(id, bytes) { exchange.waits = true }
        } else {
            end.machine.finish(id, trailers: exchange.hasTrailers ? exchange.trailers : nil)
            exchange.isFinished = true
        }
        if promises.answerEndsExchange, end === client, exchange.isFinished, !exchange.sawEnd {
            end.exchanges[id] = exchange
            ignoreRest(id, at: end)
        } else {
            end.exchanges[id] = exchange
        }
        deal(with: end)
    }

    /// Who needs no more of a request does not take what came of it either.
    private func ignoreRest(_ id: StreamID, at end: WorldEnd<Tested>) {
        end.exchanges[id]?.ignoresRest = true
        end.exchanges[id]?.unread = 0
        end.machine.ignoreRest(id)
    }

    private func respond(_ id: StreamID, _ exchange: inout WorldExchange) {
        if chance(4) {
            exchange.interimHead = wire("HTTP/1.1 103 Early|Name: \(exchange.name)||")
            client.machine.respond(id, head: exchange.interimHead, isInterim: true, isLast: false)
            return
        }
        let isLast = exchange.toSend == 0 && Bool.random(using: &random)
        let isLive = Bool.random(using: &random)
        exchange.head = head(
            "HTTP/1.1 200 OK|" + (isLive ? "Content-Type: text/event-stream|" : ""), of: exchange,
            isLast: isLast)
        client.machine.respond(id, head: exchange.head, isInterim: false, isLast: isLast)
        exchange.hasResponded = true
        exchange.isFinished = isLast
        exchange.hasTrailers = exchange.hasTrailers && !isLast
    }

    private func consumeSome(_ end: WorldEnd<Tested>, all: Bool = false) {
        guard let id = pick(end, { $0.unread > 0 }), var exchange = end.exchanges[id] else { return }
        let count = all ? exchange.unread : Int.random(in: 1...exchange.unread, using: &random)
        exchange.unread -= count
        end.exchanges[id] = exchange
        end.machine.consumed(id, count, now: now)
        deal(with: end)
    }

    private func tick(_ end: WorldEnd<Tested>) {
        if end.machine.tick(now: now) == nil { fail("the \(end.role) takes its peer for dead") }
        deal(with: end)
    }

    /// Somebody leaves or fails, or needs no more of a request.
    private func disturb(_ end: WorldEnd<Tested>) {
        // A stream that is through cannot be cut any more.
        guard let id = pick(end, { !$0.isCut && !$0.isLetGo }), Tested.holds(&end.machine, id) else { return }
        if end === client, !promises.answerEndsExchange, Bool.random(using: &random) {
            ignoreRest(id, at: end)
        } else if chance(3) {
            end.exchanges[id]?.isCut = true
            letGo(id, at: end, end === server ? .cancelled : .originFailed)
        }
        deal(with: end)
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
                end.exchanges.values.reduce(0) { $0 + $1.unread },
                end.exchanges.values.count { $0.hasResponded }, end.carrier.count, end.machine.streamCount,
                end.carrier.first?.payload.readableBytes ?? 0, Tested.waiting(in: &end.machine),
            ]
        }
    }

    /// What must hold once everything has settled.
    func checkEnds() {
        for end in [server, client] { checkEnd(end) }
        for request in server.exchanges.values where !request.isCut {
            guard let response = client.exchange(named: request.name) else {
                fail("\(request.name) never came")
                continue
            }
            if !request.sawEnd { fail("the answer of \(request.name) never ended") }
            if request.received != response.toSend {
                fail("\(request.name) has \(request.received) of \(response.toSend)")
            }
            if promises.carriesAllOfMessages, request.sawTrailers != response.hasTrailers {
                fail("\(request.name) lost its trailers")
            }
            whole += 1
            // Who is not there to hear it misses nothing.
            guard response.sawEnd || !response.isCut && !response.ignoresRest else { continue }
            if response.received != request.toSend || !response.sawEnd {
                fail("\(request.name) came with \(response.received) of \(request.toSend)")
            }
            if promises.carriesAllOfMessages, response.sawTrailers != request.hasTrailers {
                fail("\(request.name) came without its trailers")
            }
        }
    }

    private func checkEnd(_ end: WorldEnd<Tested>) {
        let count = end.machine.streamCount
        if count != 0 { fail("\(count) streams leaked at the \(end.role)") }
        if end.machine.isOccupied || end.machine.isBlocked { fail("the \(end.role) is not free") }
        for (id, exchange) in end.exchanges {
            if exchange.isLetGo { end.machine.forget(id) }
            if !exchange.isCut, exchange.waits, promises.tellsEverySender || !exchange.isFinished {
                fail("the sender of \(exchange.name) at the \(end.role) was never told to go on")
            }
        }
        for leftover in Tested.leftovers(of: &end.machine) { fail("\(leftover) at the \(end.role)") }
        if end.budget.taken != 0 { fail("\(end.budget.taken) of the budget leaked at the \(end.role)") }
        if end.budget.most > end.budget.total { fail("the budget was overdrawn") }
    }
}
