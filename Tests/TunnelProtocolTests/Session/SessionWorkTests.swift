import NIOCore
import Testing

@testable import TunnelProtocol

/// What is dealt with of what came is bounded, whether or not anybody is told of it.
@Suite struct SessionWorkTests {
    private static let one = StreamID(1)

    /// How many calls with so much work each it takes until there is nothing more, and what was told.
    private func take(_ probe: SessionProbe, work each: Int) throws -> (calls: Int, events: Int) {
        var (calls, events) = (0, 0)
        while calls < 100_000 {
            var work = each
            calls += 1
            while try probe.machine.nextEvent(now: probe.now, work: &work) != nil { events += 1 }
            #expect(work >= 0)
            if work > 0 { return (calls, events) }
        }
        return (calls, events)
    }

    @Test(arguments: ["ping", "window", "late data", "data"])
    func aCallTakesNoMoreFramesThanItMay(_ kind: String) throws {
        let probe = try SessionProbe(.acceptor)
        try probe.take(1, isLast: kind == "late data")
        if kind == "late data" { probe.respond(Self.one, isLast: true) }
        _ = probe.written()
        let frame: MuxFrame =
            switch kind {
            case "ping": .ping(1)
            case "window": .window(Self.one, 1)
            default: .data(Self.one, bytes(1), isLast: false)
            }
        var message = ByteBuffer()
        for _ in 0..<1000 { message.writeMuxFrame(frame) }
        probe.machine.receive(message, now: probe.now)
        let taken = try take(probe, work: 20)
        // Five in each; the last call finds nothing.
        #expect(taken.calls == 201)
        #expect(taken.events == (kind == "data" ? 1000 : 0))
        try probe.machine.messageEnded()
        #expect(probe.written().count == (kind == "ping" ? 1000 : 0))
    }

    @Test func withoutWorkOnlyWhatWeBroughtAboutIsTold() throws {
        let probe = try SessionProbe(.opener)
        let id = try #require(probe.open(isLast: false))
        #expect(!probe.send(id, bytes(64 << 10)))
        let leaving = MuxFrame.goAway(lastTaken: id, reason: "").wire
        probe.machine.receive(ByteBuffer(bytes: leaving), now: probe.now)
        _ = probe.message(budget: 1 << 20)
        var work = 0
        #expect(try probe.machine.nextEvent(now: probe.now, work: &work) == .writable(id))
        #expect(try probe.machine.nextEvent(now: probe.now, work: &work) == nil)
        #expect(try probe.events() == [.peerDraining(reason: "")])
    }

    @Test func theOldProtocolTakesItsBodiesPartsInShares() throws {
        let probe = try MessageProbe(.acceptor)
        let chunk = "4b0|" + String(repeating: "x", count: 1200) + "|"
        let head = "0001POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||"
        probe.machine.receive(wire(head + String(repeating: chunk, count: 100)), now: probe.now)
        var (calls, parts) = (0, 0)
        while parts < 100, calls < 1000 {
            var work = 20
            calls += 1
            while let event = try probe.machine.nextEvent(now: probe.now, work: &work) {
                if case .data = event { parts += 1 }
            }
        }
        #expect(parts == 100 && calls >= 10)
    }
}
