import HTTPMessage
import Observability
import TunnelProtocol

/// Why a request gets an answer of our own in place of its tunnel's, or its answer breaks off.
enum ExchangeFailure: Hashable, Sendable {
    /// Nobody serves the token, or has in a long time.
    case tunnelUnknown
    /// The token is nobody's, and the caller has named too many of them.
    case tooManyGuesses
    /// As many requests wait for the tunnel as may.
    case tooManyWaiting
    /// The tunnel did not come in time.
    case tunnelDown
    /// The tunnel is there, and had no room for the request in time, or none of its sessions took it.
    case tunnelBusy
    /// The session ended under the request.
    case tunnelLost
    /// Nothing went either way for too long.
    case stalled
    /// The server takes no requests any more.
    case stopping
    /// The server's grace is over.
    case cutShort

    /// The origin broke off.
    case originFailed
    /// The tunnel client could make no sense of the request, or the origin's head is larger than a tunnel carries.
    case malformedAnswer
    /// What came through the tunnel is no answer, or not the one that its head promised.
    case brokenAnswer
    /// The origin left HTTP for a protocol that was not offered.
    case unaskedUpgrade

    /// The caller's request is no HTTP after all.
    case malformedRequest(HTTPMessageError)
    /// The request's body is longer than the server's rules for callers let it be, in bytes.
    case bodyTooLarge(limit: Int)
    /// The request is longer than the tunnel client takes (protocol v1).
    case requestTooLarge
    /// The request came too slowly while others waited for it (protocol v1).
    case requestTooSlow
    /// Its body comes slower than the configuration allows.
    case bodyTooSlow
    /// The token's bytes of the month were used up under way.
    case overdrawn
    /// The tunnel client's protocol carries no upgrades (protocol v1).
    case upgradeUnsupported
    /// A connection, and the tunnel client is too old to carry one.
    case noRawStreams
    /// A connection, and the tunnel client has no service to take it to.
    case noRawOrigin

    /// - Parameters:
    ///   - end: why the stream is over before its time.
    ///   - isServerOver: whether the server closes all sessions.
    init(_ end: StreamTermination, isServerOver: Bool) {
        switch end {
        case .originFailed: self = .originFailed
        case .malformedMessage: self = .malformedAnswer
        case .requestTooLarge: self = .requestTooLarge
        case .upgradeUnsupported: self = .upgradeUnsupported
        case .tooSlow: self = .requestTooSlow
        default: self = isServerOver ? .cutShort : .tunnelLost
        }
    }

    /// What the caller gets while no head has gone out.
    var refusal: Refusal {
        switch self {
        case .tunnelUnknown: .tunnelNotFound
        case .tooManyGuesses: .tooManyGuesses
        case .tooManyWaiting: .tooManyWaiting
        case .tunnelDown, .stalled: .tunnelTimeout
        case .tunnelBusy: .tunnelBusy
        case .tunnelLost: .tunnelLost
        case .stopping: .stopping
        case .cutShort: .cutShort
        case .originFailed: .originFailed
        case .malformedAnswer, .brokenAnswer: .badAnswer
        case .unaskedUpgrade: .unaskedUpgrade
        case .malformedRequest(let error): .malformed(error)
        case .bodyTooLarge(let limit): .bodyTooLarge(limit: limit)
        case .requestTooLarge: .requestTooLarge
        case .requestTooSlow: .requestTooSlow
        case .bodyTooSlow: .bodyTooSlow
        case .overdrawn:
            Refusal(CallerMeter.usedUp)
        case .upgradeUnsupported: .upgradeUnsupported
        case .noRawStreams: .noRawStreams
        case .noRawOrigin: .noRawOrigin
        }
    }

    /// What the log says became of the request.
    var outcome: AccessOutcome {
        switch self {
        case .tunnelUnknown, .tooManyGuesses, .tooManyWaiting, .tunnelDown, .tunnelBusy: .noTunnel
        case .tunnelLost, .brokenAnswer: .tunnelLost
        case .stalled: .timeout
        case .stopping, .cutShort: .shutdown
        case .originFailed, .malformedAnswer, .unaskedUpgrade: .originFailed
        case .malformedRequest, .bodyTooLarge, .requestTooLarge, .requestTooSlow, .bodyTooSlow,
            .overdrawn:
            .callerFailed
        case .upgradeUnsupported: .answeredHere
        case .noRawStreams, .noRawOrigin: .noTunnel
        }
    }

    /// What the tunnel client is told, where it has the request.
    var resetCode: ResetCode {
        switch self {
        case .brokenAnswer, .unaskedUpgrade: .malformedMessage
        default: .cancelled
        }
    }
}
