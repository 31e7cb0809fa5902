import NIOCore

@testable import TunnelProtocol

/// A protocol that worlds are made of: how its machines are made, and what it promises beyond what every session does.
protocol SimulatedProtocol {
    associatedtype Machine: SessionMachine

    static var promises: SessionPromises { get }

    static func machine(
        _ role: SessionRole, _ limits: SessionLimits, _ budget: TestBudget, _ now: MonotonicInstant
    ) -> Machine

    /// How much time may pass in one step, in microseconds.
    static func stepTime(isKind: Bool) -> ClosedRange<Int>

    /// Whether a stream is open.
    static func holds(_ machine: inout Machine, _ id: StreamID) -> Bool
    /// Nothing of what is sent on this stream can be kept outside.
    static func release(_ machine: inout Machine, _ id: StreamID)
    /// What is wrong with a message or a piece of one that a machine wrote.
    static func fault(in payload: ByteBuffer, _ limits: SessionLimits) -> String?
    /// What of its own still waits to be written, in bytes.
    static func waiting(in machine: inout Machine) -> Int
    /// What is left of streams that are over.
    static func leftovers(of machine: inout Machine) -> [String]
}

/// What a session does in one protocol and not in the other.
struct SessionPromises: Sendable {
    /// Interim heads and trailers arrive, and heads byte for byte.
    var carriesAllOfMessages: Bool
    /// An answer that is whole ends its exchange: the rest of the request is needed no more.
    var answerEndsExchange: Bool
    /// Where a client fails, its machine answers in its place.
    var answersInPlace: Bool
    /// Nothing is told of a stream behind its reset.
    var isSilentBehindReset: Bool
    /// A reset may come from the peer while it has not heard yet that all is done here.
    var resetsMayCross: Bool
    /// A sender that has to wait is told once when it may go on, whatever it does meanwhile, and no other is.
    var tellsEverySender: Bool
    /// One end hears that the other leaves.
    var tellsOfDrain: Bool
    /// The most that may be unread of one stream, in bytes.
    var mostUnread: @Sendable (SessionLimits) -> Int
}

/// Protocol v2.
enum SimulatedMux: SimulatedProtocol {
    static let promises = SessionPromises(
        carriesAllOfMessages: true, answerEndsExchange: false, answersInPlace: false,
        isSilentBehindReset: true, resetsMayCross: true, tellsEverySender: true, tellsOfDrain: true,
        mostUnread: { $0.maximumWindow })

    static func machine(
        _ role: SessionRole, _ limits: SessionLimits, _ budget: TestBudget, _ now: MonotonicInstant
    ) -> MuxMachine {
        MuxMachine(role: role, limits: limits, settings: SessionProbe.settings, budget: budget, now: now)
    }

    static func stepTime(isKind: Bool) -> ClosedRange<Int> { 0...2000 }

    static func holds(_ machine: inout MuxMachine, _ id: StreamID) -> Bool { machine.streams[id] != nil }

    /// Streams never stand in each other's way.
    static func release(_ machine: inout MuxMachine, _ id: StreamID) {}

    static func fault(in payload: ByteBuffer, _ limits: SessionLimits) -> String? {
        if payload.readableBytes == 0 { return "an empty message" }
        let isLarge = payload.readableBytes > limits.maximumMessageBytes
        return isLarge ? "a message of \(payload.readableBytes)" : nil
    }

    static func waiting(in machine: inout MuxMachine) -> Int { machine.control.readableBytes }

    static func leftovers(of machine: inout MuxMachine) -> [String] {
        let count = machine.turns.count
        return count == 0 ? [] : ["\(count) scheduled for ever"]
    }
}

/// Protocol v1.
enum SimulatedMessages: SimulatedProtocol {
    static let promises = SessionPromises(
        carriesAllOfMessages: false, answerEndsExchange: true, answersInPlace: true,
        isSilentBehindReset: false, resetsMayCross: false, tellsEverySender: false, tellsOfDrain: false,
        mostUnread: { _ in .max })

    static func machine(
        _ role: SessionRole, _ limits: SessionLimits, _ budget: TestBudget, _ now: MonotonicInstant
    ) -> MessageMachine {
        MessageMachine(
            role: role, limits: limits, peer: "world", budget: budget,
            numbering: role == .opener ? ListedNumbers([31_900]) : nil, now: now)
    }

    /// Hardly any where all are kind: who stands in another's way for long is ended.
    static func stepTime(isKind: Bool) -> ClosedRange<Int> { isKind ? 10...10 : 0...20_000 }

    static func holds(_ machine: inout MessageMachine, _ id: StreamID) -> Bool { machine.streams[id] != nil }

    static func release(_ machine: inout MessageMachine, _ id: StreamID) { machine.release(id) }

    static func fault(in payload: ByteBuffer, _ limits: SessionLimits) -> String? { nil }

    static func waiting(in machine: inout MessageMachine) -> Int { 0 }

    static func leftovers(of machine: inout MessageMachine) -> [String] {
        let (rests, numbers) = (machine.unreadRests.count, machine.numbers.count)
        return (rests == 0 ? [] : ["\(rests) unread rests"])
            + (numbers == 0 || machine.role == .acceptor ? [] : ["\(numbers) numbers not answered"])
    }
}
