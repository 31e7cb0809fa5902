import NIOCore
import TestSupport
import Testing

@testable import HTTPServing

/// What becomes of a connection that speaks no HTTP.
@Suite struct RawConnectionMachineTests {
    private static let now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private static let patience = Farewell.Patience(
        stalled: .seconds(100), silence: .seconds(2), lingering: .seconds(30))

    private static func bytes(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

    private static func machine(receiving text: String? = nil, isOpen: Bool = true) -> RawConnectionMachine {
        var machine = RawConnectionMachine()
        if let text { _ = machine.received(bytes(text), now: now) }
        if isOpen { machine.opened() }
        return machine
    }

    private static func farewell(_ manner: Farewell.Manner) -> Farewell {
        Farewell(manner, isDelimited: false, patience: patience, now: now)
    }

    @Test func nothingIsTakenBeforeTheOtherSideIsThereAndOneReadIsKept() {
        var machine = Self.machine(isOpen: false)
        #expect(!machine.isPaused(takesBytes: true))
        #expect(machine.received(Self.bytes("early"), now: Self.now) == true)
        #expect(machine.isPaused(takesBytes: true))
        #expect(machine.next(takesBytes: true) == .nothing)
        machine.opened()
        #expect(machine.next(takesBytes: true) == .bytes(Self.bytes("early")))
        #expect(!machine.isPaused(takesBytes: true))
    }

    @Test func theEndOfTheInputComesBehindItsBytesAndOnce() {
        var machine = Self.machine(receiving: "last", isOpen: false)
        machine.inputEnded()
        machine.opened()
        #expect(machine.next(takesBytes: false) == .nothing)
        #expect(machine.next(takesBytes: true) == .bytes(Self.bytes("last")))
        #expect(machine.next(takesBytes: false) == .nothing)
        #expect(machine.next(takesBytes: true) == .end)
        #expect(machine.next(takesBytes: true) == .nothing)
    }

    @Test func whatIsNotTakenHoldsTheCallerBack() {
        var machine = Self.machine(receiving: "some")
        #expect(machine.isPaused(takesBytes: false))
        _ = machine.received(Self.bytes(" more"), now: Self.now)
        #expect(machine.next(takesBytes: true) == .bytes(Self.bytes("some more")))
        #expect(machine.isPaused(takesBytes: false))
        #expect(!machine.isPaused(takesBytes: true))
    }

    @Test func anEndThatIsNotInOrderIsTold() {
        var waiting = Self.machine(isOpen: false)
        #expect(waiting.closed() == true)
        #expect(waiting.closed() == false)
        var open = Self.machine()
        open.outputEnded()
        #expect(open.closed() == true)
        var halfOpen = Self.machine()
        halfOpen.inputEnded()
        #expect(halfOpen.closed() == true)
    }

    /// The connection may be gone while what came of it is still to be taken.
    @Test func whatCameIsTakenAlthoughBothDirectionsEndedAndTheConnectionIsGone() {
        var machine = Self.machine(receiving: "rest")
        machine.inputEnded()
        machine.outputEnded()
        #expect(machine.closed() == false)
        #expect(machine.next(takesBytes: true) == .bytes(Self.bytes("rest")))
        #expect(machine.next(takesBytes: true) == .end)
    }

    @Test func aBrokenOneIsToldOnceThatEverythingIsOut() {
        var machine = Self.machine(receiving: "dropped")
        machine.saysFarewell(Self.farewell(.reset), isBroken: true)
        #expect(!machine.isOpen)
        #expect(machine.next(takesBytes: true) == .nothing)
        #expect(machine.received(Self.bytes("too late"), now: Self.now) == false)
        #expect(machine.takeBroken() == true)
        #expect(machine.takeBroken() == false)
        machine.farewellIsSent()
        let step = machine.farewellStep(undelivered: 0, now: Self.now)
        #expect(step == .wait(until: Self.now + .milliseconds(250)))
        machine.hurry(until: Self.now + .milliseconds(100))
        #expect(machine.farewellStep(undelivered: 0, now: Self.now + .milliseconds(100)) == .reset)
        #expect(machine.closed() == false)
    }

    @Test func withoutAFarewellThereIsNoStep() {
        var machine = Self.machine()
        #expect(machine.farewellStep(undelivered: 0, now: Self.now) == nil)
        #expect(machine.takeBroken() == false)
    }

    /// Whatever happens in whatever order: bytes come out as they went in, none twice, and the end is told once behind them.
    @Test(arguments: 0..<200 as Range<UInt64>) func anyOrderOfEventsKeepsTheBytesInOrder(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var machine = RawConnectionMachine()
        var (sent, taken, ends, next) = ([UInt8](), [UInt8](), 0, UInt8(0))
        var hasEnded = false
        for _ in 0..<100 {
            switch random.next() % 5 {
            case 0, 1:
                guard !hasEnded else { continue }
                let piece = (0..<Int(random.next() % 4) + 1).map { _ in
                    next &+= 1
                    return next
                }
                sent += piece
                _ = machine.received(ByteBuffer(bytes: piece), now: Self.now)
            case 2: machine.opened()
            case 3:
                if random.next() % 10 == 0 {
                    hasEnded = true
                    machine.inputEnded()
                }
            default: take(&machine, takesBytes: random.next() % 2 == 0, &taken, &ends)
            }
            #expect(sent.starts(with: taken))
            #expect(ends == 0 || hasEnded && taken == sent)
        }
        machine.opened()
        machine.inputEnded()
        for _ in 0..<3 { take(&machine, takesBytes: true, &taken, &ends) }
        #expect(taken == sent && ends == 1)
    }

    private func take(
        _ machine: inout RawConnectionMachine, takesBytes: Bool, _ taken: inout [UInt8], _ ends: inout Int
    ) {
        switch machine.next(takesBytes: takesBytes) {
        case .bytes(let bytes): taken += bytes.readableBytesView
        case .end: ends += 1
        case .nothing: break
        }
    }
}
