package import AgentStatus
package import Logging

/// The name of a field in a log line: one word for one thing, so that a search finds all its lines.
package enum LogKey: String, Sendable, CaseIterable {
    /// What the admin API was asked to do: method and path.
    case adminAction = "admin.action"
    /// Who asked.
    case adminAsker = "admin.by"
    /// Of the answer.
    case adminStatus = "admin.status"
    /// How long a ban lasts.
    case banSeconds = "ban.seconds"
    case callerAddress = "caller.address"
    /// In the certificate that a peer has shown.
    case certificateName = "certificate.name"
    case closeReason = "close.reason"
    /// Events that a webhook was not told of, since the start.
    case deadLetters = "dead-letter.count"
    case durationMilliseconds = "duration.ms"
    case errorCode = "error.code"
    case errorMessage = "error.message"
    /// Failures in a row.
    case failureCount = "failure.count"
    /// When the first of them was.
    case failureSince = "failure.since"
    /// Counts the configurations that came into force.
    case filePath = "file.path"
    case generation = "config.generation"
    case graceMilliseconds = "grace.ms"
    /// A host name as a tunnel asks for it.
    case hostClaim = "host.claim"
    /// By which callers reach a tunnel.
    case hostName = "host.name"
    case limit = "limit"
    case logLevel = "log.level"
    /// What runs short: `memory`, `descriptors` or `loop-delay`.
    case loadCause = "load.cause"
    /// What there is of it, in bytes, a number, or milliseconds.
    case loadLimit = "load.limit"
    /// 0 where nothing is done about it, to 3.
    case loadStage = "load.stage"
    /// What is used of it, in the unit of `loadLimit`.
    case loadUsed = "load.used"
    case lineCount = "line.count"
    case listenerAddress = "listener.address"
    /// As the configuration has it.
    case originAddress = "origin.address"
    case peerAddress = "peer.address"
    case peerSoftware = "peer.software"
    case processID = "process.id"
    /// 1 for what the Go program speaks, else 2.
    case protocolVersion = "protocol.version"
    case transport
    case portCount = "port.count"
    case proxyAddress = "proxy.address"
    case reloadAction = "reload.action"
    case reloadChanges = "reload.changes"
    case reloadTrigger = "reload.trigger"
    case requestID = "request.id"
    case retryDelayMilliseconds = "retry.delay.ms"
    case serverCount = "server.count"
    case serverName = "server.name"
    case sessionID = "session.id"
    case signal = "signal"
    case softwareVersion = "software.version"
    case streamCount = "stream.count"
    case streamID = "stream.id"
    /// How often it happened since it was last told.
    case times = "times"
    /// The shortened token (`RendezvousToken.hint`), never the token.
    case tokenHint = "token.hint"
    case tunnelCount = "tunnel.count"
    case tunnelName = "tunnel.name"
    case tunnelURL = "tunnel.url"
    case webhookName = "webhook.name"
}

/// Fields for one line, written as a literal: `[.tunnelName: "web", .durationMilliseconds: …]`.
/// Of a key given twice the last value counts.
package typealias LogFields = KeyValuePairs<LogKey, Logger.MetadataValue>

extension [String: Logger.MetadataValue] {
    /// Metadata for a logger that adds the same fields to each of its lines.
    package init(_ fields: LogFields) {
        self.init(fields.lazy.map { ($0.key.rawValue, $0.value) }, uniquingKeysWith: { $1 })
    }

    /// The field of that name.
    package subscript(key: LogKey) -> Logger.MetadataValue? {
        get { self[key.rawValue] }
        set { self[key.rawValue] = newValue }
    }
}

extension Logger {
    /// The field of that name in every line of this logger.
    package subscript(key: LogKey) -> Logger.MetadataValue? {
        get { self[metadataKey: key.rawValue] }
        set { self[metadataKey: key.rawValue] = newValue }
    }
}

extension Logger.MetadataValue {
    /// The value of `errorCode`.
    package static func code(_ code: ErrorCode) -> Self { .string(code.rawValue) }

    /// A duration in milliseconds with three decimals, for the `….ms` keys.
    package static func milliseconds(_ duration: Duration) -> Self {
        .stringConvertible(Milliseconds(duration))
    }
}

/// A duration as log lines show it: milliseconds with three decimals. Less than nothing counts as 0.
struct Milliseconds: CustomStringConvertible, Sendable {
    private let microseconds: Int64

    init(nanoseconds: Int64) { microseconds = max(0, nanoseconds) / 1000 }

    init(_ duration: Duration) {
        // Of less than nine seconds, which is nearly all, no number of 128 bits need be divided.
        if let attoseconds = Int64(exactly: duration.attoseconds) {
            microseconds = max(0, attoseconds / 1_000_000_000_000)
            return
        }
        let (seconds, attoseconds) = duration.components
        let secondsBound: Int64 = 1_000_000_000_000
        let bounded = min(max(seconds, 0), secondsBound)
        microseconds = max(0, bounded * 1_000_000 + (seconds < 0 ? 0 : attoseconds / 1_000_000_000_000))
    }

    var description: String {
        var bytes = LineBytes()
        append(to: &bytes)
        return String(decoding: bytes.array(), as: UTF8.self)
    }

    /// Appends the description.
    func append(to bytes: inout LineBytes) {
        // Never negative.
        let (whole, rest) = microseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        bytes.append(decimal: whole)
        bytes.append(".")
        bytes.append(threeDigits: UInt32(truncatingIfNeeded: rest))
    }
}
