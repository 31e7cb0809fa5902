import NIOCore
import TestSupport
import Testing

@testable import TunnelProtocol

/// Random bytes and broken HTTP against an owner who does random things.
@Suite struct MessageFuzzTests {
    private static let numbers = ["0001", "0002", "0003", "0004", "0005", "0006", "7cff", "000"]
    private static let starts = [
        "GET / HTTP/1.1|", "POST /x HTTP/1.1|", "HEAD / HTTP/1.1|", "HTTP/1.1 200 OK|", "HTTP/1.1 404 |",
        "HTTP/1.1 100 Continue||HTTP/1.0 302 Found|", "HTTP/1.1 204 No Content|", "nonsense|", "",
    ]
    private static let fields = [
        "", "Host: a|", "Content-Length: 5|", "Content-Length: 9999|", "Transfer-Encoding: chunked|",
        "Upgrade: websocket|Connection: upgrade|", "no colon|",
    ]
    private static let bodies = [
        "", "5|hello|", "0||", "0|A: b||", "hello", "ffff|", "300|", "|", "HTTP/1.1 200 OK||",
    ]

    private func limits() -> SessionLimits {
        var limits = SessionLimits()
        (limits.v1.maximumStreams, limits.maximumHeadBytes) = (5, 500)
        (limits.minimumWindow, limits.v1.maximumStoredBytes, limits.v1.maximumMessageBytes) = (100, 800, 3000)
        (limits.sendHighWater, limits.sendLowWater) = (400, 100)
        return limits
    }

    /// Mostly what a peer may send next.
    private func piece(_ probe: MessageProbe, _ random: inout SplitMix64) -> ByteBuffer {
        if Int.random(in: 0..<30, using: &random) == 0 {
            return ByteBuffer(bytes: random.bytes(Int.random(in: 0...200, using: &random)))
        }
        var text = ""
        if !probe.machine.incoming.isBegun || Int.random(in: 0..<50, using: &random) == 0 {
            for words in [Self.numbers, Self.starts, Self.fields, Self.fields] {
                text += words.randomElement(using: &random) ?? ""
            }
            if Int.random(in: 0..<4, using: &random) > 0 { text += "|" }
        }
        for _ in 0..<Int.random(in: 0...5, using: &random) {
            text += Self.bodies.randomElement(using: &random) ?? ""
        }
        var piece = wire(text)
        if Bool.random(using: &random) { piece.writeRepeatingByte(0x61, count: 400) }
        return piece
    }

    private func ownerActs(_ probe: MessageProbe, _ random: inout SplitMix64) {
        let id = StreamID(UInt32.random(in: 0...(probe.machine.lastStream + 1), using: &random))
        let flag = Bool.random(using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0: _ = probe.open(isLast: flag)
        case 1: _ = probe.open("POST / HTTP/1.1|Content-Length: 700|Expect: 100-continue||", isLast: false)
        case 2: probe.respond(id, isLast: flag)
        case 3: probe.respond(id, "nonsense", isLast: flag)
        case 4...5: probe.send(id, bytes: bytes(Int.random(in: 0...900, using: &random)))
        case 6: probe.finish(id)
        case 7: probe.reset(id, flag ? .cancelled : .malformedMessage)
        case 8: probe.ignoreRest(id)
        case 9: probe.consumed(id, Int.random(in: 0...500, using: &random))
        case 10:
            probe.advance(.milliseconds(Int.random(in: 0...2000, using: &random)))
            probe.tick()
        default: if Int.random(in: 0..<5000, using: &random) == 0 { probe.drain() } else { probe.forget(id) }
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>) func nothingThatComesCrashesOrLeaks(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let budget: TestBudget
        var (errors, streams) = (0, UInt32(0))
        do {
            let role: SessionRole = seed.isMultiple(of: 2) ? .opener : .acceptor
            let probe = try MessageProbe(role, limits: limits(), budget: 5000)
            budget = probe.budget
            for _ in 0..<1000 {
                do {
                    probe.machine.receive(piece(probe, &random), now: probe.now)
                    while try probe.machine.nextEvent(now: probe.now) != nil { ownerActs(probe, &random) }
                    if Int.random(in: 0..<4, using: &random) == 0 { _ = try probe.endMessage() }
                } catch {
                    // A session ends here; one that went on all the same must not crash either.
                    errors += 1
                    _ = try? probe.endMessage()
                }
                ownerActs(probe, &random)
                _ = probe.frame(budget: Int.random(in: 0...1000, using: &random))
                if !(0...5000).contains(budget.taken) {
                    Issue.record("seed \(seed): \(budget.taken) are taken")
                    return
                }
            }
            streams = probe.machine.lastStream
            let ids = (0...probe.machine.lastStream + 1).map { StreamID($0) }
            for id in ids { probe.reset(id) }
            _ = probe.written()
            for id in ids { probe.forget(id) }
            #expect(probe.streamCount == 0 && budget.taken == 0, "seed \(seed)")
        }
        #expect(budget.taken == 0, "seed \(seed)")
        #expect(errors > 0 && streams > 10, "seed \(seed): too tame to tell anything")
    }
}

extension IncomingMessage {
    /// Whether the number of the message has come.
    fileprivate var isBegun: Bool {
        if case .number = state { return false }
        return true
    }
}
