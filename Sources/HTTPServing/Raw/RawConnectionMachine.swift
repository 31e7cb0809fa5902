import NIOCore

/// What becomes of a connection that speaks no HTTP: decided here, done by `RawCallerHandler`. No I/O, no clock.
struct RawConnectionMachine {
    private enum State {
        /// The other side of it is not there yet. Next: open, farewell, over.
        case waiting
        /// Both directions are carried. Next: farewell, over.
        case open(hasOutputEnded: Bool)
        /// Nothing more is said.
        ///
        /// - Parameter isBroken: whether the exchange is to be told when everything has gone out.
        case farewell(Farewell, isBroken: Bool)
        case over
    }

    private var state = State.waiting
    /// What came and was not taken.
    private var input = ByteBuffer()
    private var hasInputEnded = false
    private var hasToldInputEnd = false

    // MARK: What came

    /// - Returns: whether there may be something to do with it.
    mutating func received(_ bytes: ByteBuffer, now: NIODeadline) -> Bool {
        switch state {
        case .waiting, .open:
            if input.readableBytes == 0 { input = bytes } else { input.writeImmutableBuffer(bytes) }
            return true
        case .farewell(var farewell, let isBroken):
            farewell.heard(now: now)
            state = .farewell(farewell, isBroken: isBroken)
            return false
        case .over: return false
        }
    }

    /// The caller closed its direction: behind what came that is passed on too, also where the other side is waited for.
    mutating func inputEnded() { hasInputEnded = true }

    /// What the exchange is given.
    enum Step: Equatable {
        case bytes(ByteBuffer)
        /// The caller's direction is over.
        case end
        case nothing
    }

    /// - Parameter takesBytes: whether the exchange takes any.
    mutating func next(takesBytes: Bool) -> Step {
        guard case .open = state, takesBytes else { return .nothing }
        guard input.readableBytes == 0 else {
            let bytes = input
            input = ByteBuffer()
            return .bytes(bytes)
        }
        guard hasInputEnded, !hasToldInputEnd else { return .nothing }
        hasToldInputEnd = true
        return .end
    }

    /// Whether what comes is left in the kernel for now.
    func isPaused(takesBytes: Bool) -> Bool {
        switch state {
        case .waiting: input.readableBytes > 0
        case .open: !takesBytes || input.readableBytes > 0
        case .farewell, .over: false
        }
    }

    // MARK: The other side

    /// It is there: both directions are carried from now on.
    mutating func opened() { if case .waiting = state { state = .open(hasOutputEnded: false) } }

    var isOpen: Bool {
        if case .open = state { return true }
        return false
    }

    /// The direction to the caller is over.
    mutating func outputEnded() { if case .open = state { state = .open(hasOutputEnded: true) } }

    // MARK: Ends

    /// - Parameter isBroken: the exchange is to be told when everything has gone out.
    mutating func saysFarewell(_ farewell: Farewell, isBroken: Bool) {
        input = ByteBuffer()
        state = .farewell(farewell, isBroken: isBroken)
    }

    /// Everything written was given to the kernel.
    mutating func farewellIsSent() { changeFarewell { $0.sent() } }

    /// The farewell has to be over by then.
    mutating func hurry(until deadline: NIODeadline) { changeFarewell { $0.hurry(until: deadline) } }

    /// - Parameter undelivered: bytes that have not arrived at the caller's machine.
    /// - Returns: nil where there is no farewell.
    mutating func farewellStep(undelivered: @autoclosure () -> Int, now: NIODeadline) -> Farewell.Step? {
        guard case .farewell(var farewell, let isBroken) = state else { return nil }
        let step = farewell.next(undelivered: undelivered(), now: now)
        state = .farewell(farewell, isBroken: isBroken)
        return step
    }

    private mutating func changeFarewell(_ change: (inout Farewell) -> Void) {
        guard case .farewell(var farewell, let isBroken) = state else { return }
        change(&farewell)
        state = .farewell(farewell, isBroken: isBroken)
    }

    /// Whether the exchange is to be told that what there is of a broken connection has gone out; once.
    mutating func takeBroken() -> Bool {
        guard case .farewell(let farewell, isBroken: true) = state else { return false }
        state = .farewell(farewell, isBroken: false)
        return true
    }

    /// The connection is closed, or broke.
    ///
    /// - Returns: whether the exchange is to be told that the caller left. Not where both directions ended in order: some of
    ///   what the caller sent may still be to be taken.
    mutating func closed() -> Bool {
        switch state {
        case .open(hasOutputEnded: true) where hasInputEnded: return false
        case .waiting, .open:
            state = .over
            return true
        case .farewell, .over:
            state = .over
            return false
        }
    }

    /// The exchange is over that outlived its connection, or the connection is cut off.
    mutating func ended() { state = .over }
}
