import NIOCore

// What limits ask of it.
extension ExchangeMachine {
    /// Bytes were held back on purpose: that nothing moved is nobody's fault.
    mutating func wasHeld(now: NIODeadline) { patience.progressed(now) }
}
