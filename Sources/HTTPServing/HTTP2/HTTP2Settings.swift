import HTTPMessage
import NIOCore
import NIOHTTP2

/// What a connection of HTTP/2 tells its caller, and what it bears (RFC 9113 §6.5.2, §10.5).
enum HTTP2ConnectionSettings {
    /// What a connection begins with, up to where HTTP/1 sees the end of a head (RFC 9113 §3.4).
    static let preface = Array("PRI * HTTP/2.0\r\n\r\n".utf8)
    /// Streams at once.
    static let mostStreams = 100
    /// What `SETTINGS_MAX_HEADER_LIST_SIZE` counts for a field beside its text.
    private static let perField = 32
    /// CONTINUATION frames of one head: each holds 16 KiB, if it is not made to be a nuisance.
    private static let mostContinuations = 8
    /// Streams that were reset whose caller may not know yet.
    private static let mostRecentlyReset = 2 * mostStreams

    /// The handler that makes frames of bytes. What asks for nothing is counted by `HTTP2Nuisance`: what the handler counts
    /// itself are bursts, for each of which it keeps a list.
    static func makeHandler(_ limits: HTTPLimits, watch: HTTP2FrameWatch) -> NIOHTTP2Handler {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: mostStreams),
            HTTP2Setting(
                parameter: .maxHeaderListSize, value: limits.headBytes + perField * limits.fieldCount),
            HTTP2Setting(parameter: .enableConnectProtocol, value: 1),
            HTTP2Setting(parameter: .initialWindowSize, value: HTTP2ReceiveWindow.initial),
        ]
        // `HTTP2Request` and `HTTP2RequestBody` are stricter, and the answer to it is theirs.
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
        stream.streamResetFrameRateLimit.maximumCount = 200
        stream.streamResetFrameRateLimit.windowLength = .milliseconds(200)
        return NIOHTTP2Handler(
            mode: .server, frameDelegate: watch, connectionConfiguration: connection,
            streamConfiguration: stream)
    }
}

/// Notes whether the handler that makes frames of bytes has given the connection up: no other word tells that fault from one
/// of a stream.
final class HTTP2FrameWatch: NIOHTTP2FrameDelegate {
    /// The next GOAWAY is ours.
    var isOurs = false
    private(set) var hasGivenUp = false

    func wroteFrame(_ frame: HTTP2Frame) {
        guard case .goAway = frame.payload else { return }
        if isOurs { isOurs = false } else { hasGivenUp = true }
    }
}
