/// Whether answers pass as they are written, so that one poll can carry many: found out by a probe, and believed until two
/// signs of life come late.
package struct LongPollStreaming: Sendable, Hashable {
    /// Between two signs of life on an answer that is held open.
    package static let beat = Duration.seconds(5)
    /// A sign of life that does not come for so long is late.
    package static let late = Duration.seconds(10)
    /// Of padding in front of each answer, which may be held back until so much has come, in bytes.
    package static let padding = 4 << 10
    /// An answer that has carried so much, or lasted so long, makes room for the next.
    package static let mostBytes = 8 << 20
    package static let longest = Duration.seconds(55)
    /// Between the two pieces of a probe.
    package static let probeTime = Duration.milliseconds(300)
    private static let leastApart = Duration.milliseconds(150)
    private static let pause = Duration.seconds(3600)
    private static let mostLate = 2
    private static let mostProbes = 3

    private enum State: Hashable {
        case unknown
        /// - Parameter first: when the first piece came.
        case probing(UInt64, first: MonotonicInstant?)
        case passes(late: Int)
        case heldBack(until: MonotonicInstant)
    }

    private var state = State.unknown
    /// Probes in a row of which no answer came.
    private var failedProbes = 0

    package init() {}

    /// Whether answers are streamed.
    package var isOn: Bool { if case .passes = state { true } else { false } }

    /// What the next poll asks for.
    mutating func asks(now: MonotonicInstant) -> LongPollHead.Flags {
        switch state {
        case .unknown: return .probe
        case .probing: return []
        case .passes: return .stream
        case .heldBack(let until):
            guard now >= until else { return [] }
            state = .unknown
            return .probe
        }
    }

    /// That request is the probe.
    mutating func probes(by number: UInt64) {
        if case .unknown = state { state = .probing(number, first: nil) }
    }

    /// A frame of padding came.
    mutating func padding(to number: UInt64, now: MonotonicInstant) {
        guard case .probing(number, let first) = state else { return }
        guard let first else {
            state = .probing(number, first: now)
            return
        }
        state =
            now.since(first) >= Self.leastApart
            ? .passes(late: 0) : .heldBack(until: now.advanced(by: Self.pause))
    }

    mutating func ended(_ number: UInt64, now: MonotonicInstant) {
        guard case .probing(number, _) = state else { return }
        state = .heldBack(until: now.advanced(by: Self.pause))
    }

    /// Its answer broke off, or did not come.
    mutating func failed(_ number: UInt64, now: MonotonicInstant) {
        guard case .probing(number, _) = state else { return }
        failedProbes += 1
        state = failedProbes < Self.mostProbes ? .unknown : .heldBack(until: now.advanced(by: Self.pause))
    }

    /// A sign of life did not come in time.
    mutating func wasLate(now: MonotonicInstant) {
        guard case .passes(let late) = state else { return }
        state =
            late + 1 >= Self.mostLate
            ? .heldBack(until: now.advanced(by: Self.pause)) : .passes(late: late + 1)
    }
}
