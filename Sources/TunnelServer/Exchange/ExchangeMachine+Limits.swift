import NIOCore

// What limits ask of it.
extension ExchangeMachine {
    /// Bytes were held back on purpose: that nothing moved is nobody's fault.
    mutating func wasHeld(now: NIODeadline) { patience.progressed(now) }

    /// Whether both directions are bytes that mean nothing here.
    var isRaw: Bool {
        guard case .attached(let attached) = state, case .raw = attached.answer else { return false }
        return true
    }
}
