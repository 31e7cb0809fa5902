import HTTPServing
import NIOCore

// What limits ask of it.
extension ExchangeMachine {
    /// Bytes were held back on purpose: that nothing moved is nobody's fault.
    mutating func wasHeld(now: NIODeadline) { patience.progressed(now) }

    /// Whether the answer is whole for its caller, though its end may not have come yet.
    var isAnswerFilled: Bool {
        guard case .attached(let attached) = state, case .begun(let length) = attached.answer else {
            return false
        }
        return length.isFilled
    }

    /// Whether what goes on, in either direction, are bytes that mean nothing here.
    var isRaw: Bool {
        guard case .attached(let attached) = state else { return false }
        return switch attached.answer {
        case .raw, .rawEnded: true
        case .none, .begun, .whole: false
        }
    }
}
