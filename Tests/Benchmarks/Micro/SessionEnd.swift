import NIOCore
import TunnelProtocol

/// What an origin's connection gives at a time.
private let pieceBytes = 64 << 10

/// One end of a session without a carrier, its machine held as the program holds it.
final class SessionEnd<Machine: SessionMachine> {
    private static var now: MonotonicInstant { MonotonicInstant(nanoseconds: 1_000_000_000) }

    private var machine: Machine
    /// What answers a request; nil at the server.
    private let answer: (head: ByteBuffer, body: ByteBuffer)?
    private var unsent: (id: StreamID, bytes: ByteBuffer)?
    /// Bytes of bodies that came.
    private(set) var received = 0

    init(_ machine: Machine, answer: (head: ByteBuffer, body: ByteBuffer)? = nil) {
        self.machine = machine
        self.answer = answer
    }

    var isReady: Bool { machine.isReady }
    var streamCount: Int { machine.streamCount }
    var hasSomethingToWrite: Bool { machine.hasSomethingToWrite }

    func request(_ head: ByteBuffer, body: ByteBuffer?) throws {
        guard let id = machine.open(head: head, isLast: body == nil, now: Self.now) else {
            throw WrongResult(description: "no stream")
        }
        if let body { send(id, body) }
    }

    /// Everything that is to be written goes to the other end.
    func write(to other: SessionEnd) throws {
        while machine.hasSomethingToWrite {
            var payload = ByteBuffer()
            payload.reserveCapacity(256)
            guard let kind = machine.write(to: &payload, budget: pieceBytes) else { break }
            if case .message(_, let isLast) = kind { try other.receive(payload, isLast: isLast) }
        }
        try dealWithEvents()
    }

    func dealWithEvents() throws {
        var work = Int.max
        while let event = try machine.nextEvent(now: Self.now, work: &work) { see(event) }
    }

    private func receive(_ payload: ByteBuffer, isLast: Bool) throws {
        machine.receive(payload, now: Self.now)
        try dealWithEvents()
        guard isLast else { return }
        try machine.messageEnded()
        try dealWithEvents()
    }

    private func see(_ event: SessionEvent) {
        switch event {
        case .request(let id, _, let isLast):
            received = 0
            if isLast { respond(id) }
        case .response(let id, _, _, let isLast, _):
            received = 0
            if isLast { machine.forget(id) }
        case .data(let id, let bytes, let isLast):
            received += bytes.readableBytes
            machine.consumed(id, bytes.readableBytes, now: Self.now)
            guard isLast else { return }
            if answer == nil { machine.forget(id) } else { respond(id) }
        case .writable(let id):
            if let (waiting, bytes) = unsent.take(), waiting == id { send(id, bytes) }
        case .ready, .trailers, .reset, .peerDraining, .overflowed, .progressWanted, .hostsRuled:
            break
        }
    }

    private func respond(_ id: StreamID) {
        guard let answer else { return }
        machine.respond(id, head: answer.head, isInterim: false, isLast: answer.body.readableBytes == 0)
        if answer.body.readableBytes > 0 { send(id, answer.body) }
    }

    private func send(_ id: StreamID, _ bytes: ByteBuffer) {
        var rest = bytes
        while let piece = rest.readSlice(length: min(pieceBytes, rest.readableBytes)) {
            let mayGoOn = machine.send(id, piece)
            guard rest.readableBytes > 0 else { return machine.finish(id, trailers: nil) }
            if !mayGoOn {
                unsent = (id, rest)
                return
            }
        }
    }
}

/// Memory is plenty.
struct EndlessBudget: ReceiveBudget {
    var isShort: Bool { false }
    func take(_ bytes: Int) -> Bool { true }
    func giveBack(_ bytes: Int) {}
    func count(_ bytes: Int) {}
}
