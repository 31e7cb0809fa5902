import NIOCore
import Observability
import TunnelProtocol

/// What `ExchangeMachine` wants done: credit given back, then the tunnel's side, then the caller's.
struct ExchangeActions: Hashable {
    enum Tunnel: Hashable {
        case none
        /// Give back the place at the session, which has not looked at the request, and ask for another.
        case lookAgain
        case leaveQueue
        /// The request is whole, or the caller's raw direction.
        case finish
        /// The same, and so is everything else: the place is given back.
        case finishAndForget
        /// Everything was sent and received: the place is given back.
        case forget
        /// The exchange is over before the stream: the place is given back.
        case reset(ResetCode)
        /// The stream is over by itself: the place is given back.
        case release
    }

    enum Caller: Hashable {
        case none
        /// What came goes to the caller; `ExchangeMachine.wrote` is told next, but of an interim head or a 101.
        case pass
        /// Bytes of the request may flow again.
        case resume
        /// Look at the time by then.
        case ring(by: NIODeadline)
        /// The answer is whole, or both raw directions are.
        case end
        /// The origin's raw direction is over.
        ///
        /// - Parameter isLast: so is the caller's.
        case endRawOutput(isLast: Bool)
        /// An answer of our own, and the end.
        case answer(ExchangeFailure)
        /// There is no more of the answer.
        ///
        /// - Parameter isWhole: none is missing.
        case cut(isWhole: Bool)
        /// The caller is cut off; so many bytes were not taken.
        case giveUp(missing: Int)
        /// Nothing more is to be done for the caller: what became of it is known.
        case finish(AccessOutcome, missing: Int)
    }

    /// Bytes of the answer whose credit the session gets back.
    var consumed = 0
    var tunnel = Tunnel.none
    var caller = Caller.none
}

extension ExchangeMachine {
    /// What is due at a time.
    enum Due: Hashable {
        case nothing(until: NIODeadline)
        /// It has waited for a session for as long as it may.
        case waitedTooLong
        /// Nothing has moved for as long as may be.
        case stalled
    }
}
