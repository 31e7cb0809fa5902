/// Why one end resets a stream. The number goes over the wire of protocol v2; an unknown one reads as `internalError`.
package enum ResetCode: UInt32, Sendable, Hashable, CaseIterable {
    /// The rest of the request is not needed: the answer is whole.
    case noError = 0
    /// The caller left.
    case cancelled = 1
    /// Not taken and not looked at: safe to send again elsewhere.
    case refused = 2
    /// The origin failed after its answer had begun.
    case originFailed = 3
    /// A head or trailers that are no valid HTTP.
    case malformedMessage = 4
    /// More data than the credit allowed.
    case flowControl = 5
    case internalError = 6

    /// - Parameter number: what a peer sent.
    init(wire number: UInt32) { self = Self(rawValue: number) ?? .internalError }
}

/// Why a stream is over before its time, as the near side is told: for a code that a peer sent, or that is meant as such, or
/// for what only this end can know. The latter has no number, and so crosses no wire.
package enum StreamTermination: Sendable, Hashable {
    // As `ResetCode` has them.
    case noError
    case cancelled
    case refused
    case originFailed
    case malformedMessage
    case flowControl
    case internalError

    /// The session ended under the stream.
    case sessionLost
    /// The request is longer than the peer takes.
    case requestTooLarge
    /// The tunnel's protocol cannot carry an upgrade.
    case upgradeUnsupported
    /// The stream moved too slowly while it held up others.
    case tooSlow

    package init(_ code: ResetCode) {
        self =
            switch code {
            case .noError: .noError
            case .cancelled: .cancelled
            case .refused: .refused
            case .originFailed: .originFailed
            case .malformedMessage: .malformedMessage
            case .flowControl: .flowControl
            case .internalError: .internalError
            }
    }
}
