import NIOCore
import TestSupport
import Testing

@testable import TunnelProtocol

/// Random frames against an owner who does random things and writes nothing, or all.
@Suite struct SessionFuzzTests {
    private func limits() -> SessionLimits {
        var limits = SessionLimits()
        limits.maximumStreams = 20
        limits.maximumHeadBytes = 2000
        (limits.minimumWindow, limits.initialWindow, limits.maximumWindow) = (1000, 3000, 12_000)
        (limits.sendHighWater, limits.sendLowWater, limits.turnBytes) = (4000, 1000, 700)
        (limits.maximumControlBytes, limits.maximumMessageBytes) = (20_000, 20_000)
        return limits
    }

    /// Mostly what a peer may send, so that the rare forbidden frame comes late in a session full of streams.
    private func randomFrame(
        _ probe: SessionProbe, _ random: inout SplitMix64, _ next: inout UInt32
    ) -> MuxFrame {
        let isRude = Int.random(in: 0..<2000, using: &random) == 0
        let receiving = probe.streams.filter { !$0.value.hasReceivedEverything }.keys.sorted()
        let known = StreamID(
            UInt32.random(in: (isRude ? 0 : min(1, next))...(isRude ? next + 1 : next), using: &random))
        let open = isRude ? known : receiving.randomElement(using: &random)
        let credit = open.flatMap { probe.streams[$0]?.receiveWindow.credit } ?? 0
        let payload = bytes(Int.random(in: 0...(isRude ? 3000 : min(300, credit)), using: &random))
        let flag = Int.random(in: 0..<4, using: &random) == 0
        switch Int.random(in: 0..<24, using: &random) {
        case 0...5 where probe.machine.role == .acceptor || isRude:
            next += Int.random(in: 0..<50, using: &random) == 0 ? 3 : 1
            let window = Int.random(in: 0...3000, using: &random)
            return .request(StreamID(next), window: window, head: payload, isLast: flag)
        case 0...7 where probe.machine.role == .opener || isRude:
            guard let open else { break }
            return .response(
                open, head: payload, isInterim: Bool.random(using: &random), isLast: flag,
                originTime: Bool.random(using: &random) ? .random(in: 0 ... .max, using: &random) : nil)
        case 8...14:
            guard let open else { break }
            return .data(open, payload, isLast: flag)
        case 15:
            guard let open else { break }
            return .trailers(open, payload)
        case 16 where next > 0:
            let code = ResetCode(rawValue: UInt32.random(in: 0...7, using: &random)) ?? .noError
            return .reset(known, code, reason: "r")
        case 17...20 where next > 0:
            return .window(known, Int.random(in: 0...2000, using: &random))
        case 21:
            return .pong(Bool.random(using: &random) ? 1_000_000_000 : random.next())
        case 22 where Int.random(in: 0..<200, using: &random) == 0:
            return .goAway(lastTaken: known, reason: "g")
        default:
            break
        }
        return .ping(random.next())
    }

    private func ownerActs(_ probe: SessionProbe, _ random: inout SplitMix64) {
        guard let id = probe.streams.keys.sorted().randomElement(using: &random) else { return }
        let count = Int.random(in: 0...2000, using: &random)
        switch Int.random(in: 0..<9, using: &random) {
        case 0: probe.respond(id, head: bytes(count), isInterim: true, isLast: false)
        case 1: probe.respond(id, head: bytes(count), isLast: Bool.random(using: &random))
        case 2...3: _ = probe.send(id, bytes(count))
        case 4: probe.finish(id, trailers: Bool.random(using: &random) ? bytes(count) : nil)
        case 5: probe.reset(id, .cancelled)
        case 6: probe.ignoreRest(id)
        case 7: probe.consumed(id, Int.random(in: 0...100, using: &random))
        default: if Int.random(in: 0..<300, using: &random) == 0 { probe.drain() }
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>) func randomFramesNeverCrashNorGrowWithoutBound(seed: UInt64)
        throws
    {
        var random = SplitMix64(seed: seed)
        let role: SessionRole = seed.isMultiple(of: 2) ? .opener : .acceptor
        let writes = Int.random(in: 0...3, using: &random)
        let probe = try SessionProbe(role, limits: limits(), budget: 50_000)
        var next: UInt32 = 0
        var error: MuxError?
        for _ in 0..<1500 {
            if role == .opener, Bool.random(using: &random) {
                if let id = probe.open(head: bytes(50), isLast: Bool.random(using: &random)) {
                    next = id.rawValue
                }
            }
            probe.advance(.milliseconds(1))
            var message = ByteBuffer()
            message.writeMuxFrame(randomFrame(probe, &random, &next))
            probe.machine.receive(message, now: probe.now)
            do {
                while try probe.machine.nextEvent(now: probe.now) != nil { ownerActs(probe, &random) }
                try probe.machine.messageEnded()
            } catch let thrown {
                error = thrown
                break
            }
            if Int.random(in: 0...3, using: &random) < writes { _ = probe.message(budget: 5000) }
            // Two limits of control frames, and what the streams open may still answer.
            let isBounded =
                role == .opener || (probe.controlBytes <= 40_000 + 21 * 4100 && probe.streamCount <= 20)
            let isWithinBudget =
                (0...50_000).contains(probe.budget.taken)
                && (probe.streamCount > 0 || probe.unreadCount > 0 || probe.budget.taken == 0)
            if !isBounded || !isWithinBudget {
                Issue.record(
                    "seed \(seed): \(probe.controlBytes) bytes wait, \(probe.budget.taken) are taken")
                return
            }
        }
        // An owner that goes on after an error must not crash either.
        if error != nil { _ = try? probe.events() }
        for id in probe.streams.keys { probe.reset(id, .cancelled) }
        probe.forgetAll()
        #expect(probe.budget.taken == 0, "seed \(seed)")
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func randomBytesNeverCrash(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let probe = try SessionProbe(seed.isMultiple(of: 2) ? .opener : .acceptor, limits: limits())
        do {
            for _ in 0..<200 {
                var garbage = random.bytes(Int.random(in: 0...60, using: &random))
                if garbage.count > 8, Bool.random(using: &random) {
                    (garbage[0], garbage[1], garbage[4], garbage[5], garbage[6]) = (0, 0, 0, 0, 0)
                    garbage[3] = UInt8.random(in: 0...9, using: &random)
                }
                probe.machine.receive(ByteBuffer(bytes: garbage), now: probe.now)
                while try probe.machine.nextEvent(now: probe.now) != nil { ownerActs(probe, &random) }
            }
        } catch {
            #expect(error != .flooded, "seed \(seed)")
        }
    }
}
