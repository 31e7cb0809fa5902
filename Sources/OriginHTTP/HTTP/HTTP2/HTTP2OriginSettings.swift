import HTTPMessage
import NIOCore
import NIOHTTP2

/// What a connection tells its origin, and what it bears of it (RFC 9113 §6.5.2, §10.5).
enum HTTP2OriginSettings {
    /// Exchanges at a time on one connection, whatever the origin takes: beyond them another one is made.
    static let mostStreams = 100
    /// What `SETTINGS_MAX_HEADER_LIST_SIZE` counts for a field beside its text.
    private static let perField = 32
    /// CONTINUATION frames of one head: each holds 16 KiB, if it is not made to be a nuisance.
    private static let mostContinuations = 8
    /// Streams that were called off of which the origin may not know yet.
    private static let mostRecentlyReset = 4 * mostStreams

    /// The handler that makes frames of bytes. What asks for nothing is counted by `HTTP2Nuisance`: what the handler counts
    /// itself are bursts, for each of which it keeps a list.
    static func makeHandler(watch: HTTP2FrameWatch) -> NIOHTTP2Handler {
        let limits = HTTP2AnswerReader.limits
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(
                parameter: .maxHeaderListSize, value: limits.headBytes + perField * limits.fieldCount),
            HTTP2Setting(parameter: .initialWindowSize, value: HTTP2AnswerWindow.initial),
        ]
        // `HTTP2AnswerReader` is stricter, and says what is wrong.
        connection.headerBlockValidation = .disabled
        connection.contentLengthValidation = .disabled
        connection.maximumSequentialEmptyDataFrames = .max
        connection.maximumSequentialContinuationFrames = mostContinuations
        connection.maximumBufferedControlFrames = 1000
        connection.maximumRecentlyResetStreams = mostRecentlyReset
        connection.maximumConnectionGlitches = .max
        connection.controlFrameRateLimit.maximumCount = 200
        connection.controlFrameRateLimit.windowLength = .milliseconds(20)
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.streamResetFrameRateLimit.maximumCount = 4 * mostStreams
        stream.streamResetFrameRateLimit.windowLength = .milliseconds(20)
        stream.streamErrorRateLimit.maximumCount = 4 * mostStreams
        stream.streamErrorRateLimit.windowLength = .milliseconds(20)
        return NIOHTTP2Handler(
            mode: .client, frameDelegate: watch, connectionConfiguration: connection,
            streamConfiguration: stream)
    }
}

/// Notes whether the handler that makes frames of bytes has given the connection up: no other word tells that fault from one
/// of a stream.
final class HTTP2FrameWatch: NIOHTTP2FrameDelegate {
    private(set) var hasGivenUp = false

    func wroteFrame(_ frame: HTTP2Frame) {
        if case .goAway = frame.payload { hasGivenUp = true }
    }
}

/// What an origin has told of itself (RFC 9113 §6.5.2, RFC 8441 §3).
struct HTTP2PeerSettings {
    /// Nil for any number.
    private(set) var maxStreams: Int?
    private(set) var initialWindow = HTTP2AnswerWindow.initial
    private(set) var head = HTTP2RequestHead.Limits()
    private(set) var takesWebSockets = false
    /// Whether they have come.
    private(set) var areKnown = false

    /// Exchanges that may be under way at a time; none where it takes none for now.
    var capacity: Int { min(maxStreams ?? .max, HTTP2OriginSettings.mostStreams) }

    /// - Returns: by how much what the origin takes on each stream that is open changes (RFC 9113 §6.9.2).
    mutating func update(_ settings: [HTTP2Setting]) -> Int {
        let before = initialWindow
        areKnown = true
        for setting in settings {
            switch setting.parameter {
            case .maxConcurrentStreams: maxStreams = setting.value
            case .initialWindowSize: initialWindow = setting.value
            case .maxFrameSize: head.frameBytes = setting.value
            case .maxHeaderListSize: head.listBytes = setting.value
            case .enableConnectProtocol: takesWebSockets = setting.value == 1
            default: break
            }
        }
        return initialWindow - before
    }
}

extension HTTP2ErrorCode {
    /// Its name in RFC 9113 §7.
    var words: String {
        switch self {
        case .noError: "NO_ERROR"
        case .protocolError: "PROTOCOL_ERROR"
        case .internalError: "INTERNAL_ERROR"
        case .flowControlError: "FLOW_CONTROL_ERROR"
        case .refusedStream: "REFUSED_STREAM"
        case .cancel: "CANCEL"
        case .enhanceYourCalm: "ENHANCE_YOUR_CALM"
        case .http11Required: "HTTP_1_1_REQUIRED"
        default: "error \(networkCode)"
        }
    }
}
