internal import AgentStatus
internal import HostSystem
internal import Logging

/// What became of one caller's request.
package enum AccessOutcome: String, Sendable, CaseIterable {
    /// The caller has the whole answer that came through the tunnel, the client's own 502 and 403 included.
    case ok = "ok"
    /// Answered here, without a tunnel: health checks, refusals.
    case answeredHere = "answered-here"
    /// The caller went before the response was whole.
    case callerLeft = "caller-left"
    /// The caller broke HTTP or one of its limits in the middle of a request.
    case callerFailed = "caller-failed"
    /// The origin broke off after its answer had begun, or answered nonsense; the tunnel works.
    case originFailed = "origin-failed"
    /// The session ended, or its peer broke the protocol, before the response was whole.
    case tunnelLost = "tunnel-lost"
    /// No session came in time, or too many requests waited for one.
    case noTunnel = "no-tunnel"
    /// The tunnel took the request but a time limit passed.
    case timeout = "timeout"
    /// The agent was told to stop and the grace was over.
    case shutdown = "shutdown"
}

extension AccessOutcome {
    /// Its raw value, which a line takes as it is.
    fileprivate var word: StaticString {
        switch self {
        case .ok: "ok"
        case .answeredHere: "answered-here"
        case .callerLeft: "caller-left"
        case .callerFailed: "caller-failed"
        case .originFailed: "origin-failed"
        case .tunnelLost: "tunnel-lost"
        case .noTunnel: "no-tunnel"
        case .timeout: "timeout"
        case .shutdown: "shutdown"
        }
    }
}

/// How much the line of a request matters.
package enum AccessLevel: Sendable {
    case info
    /// Asked again and again by machines that look whether the server is there.
    case debug

    var value: Logger.Level { self == .info ? .info : .debug }
}

/// One request of a caller, as the access log tells it: one line, level info unless said otherwise, logger `access`.
///
/// | field | meaning |
/// |---|---|
/// | `server.name` | the tunnel server that took it |
/// | `token.hint` | the tunnel's shortened token; absent when the request named none |
/// | `request.id` | counts the server's requests since its start |
/// | `x-request-id` | the request's `X-Request-Id`; absent where it gets none |
/// | `method`, `path` | the path inside the tunnel, the query included, cut at 1 KiB |
/// | `status` | of the response head the caller got; absent when it got none |
/// | `request.bytes`, `response.bytes` | body bytes taken from and written to the caller |
/// | `first-byte.ms` | from the request's head to the response's head; absent without one |
/// | `queue.ms` | of that, until a session took the request; absent for what is for no tunnel |
/// | `tunnel.ms` | of that, on the way through the tunnel and back; absent where the next one is |
/// | `origin.ms` | of that, what the origin took, as the tunnel client says; absent where it does not |
/// | `duration.ms` | from the request's head to the end of the exchange |
/// | `caller.address` | the address that the connection came from |
/// | `trace.id` | of its `traceparent`; absent where it has none |
/// | `certificate.name` | in the certificate that the caller has shown; absent where it has shown none |
/// | `outcome` | an `AccessOutcome` |
package struct AccessRecord: Sendable {
    package var serverName: String
    /// `RendezvousToken.hint`, never the token. A path that holds the token must be cleaned as well.
    package var tokenHint: String?
    package var requestID: UInt64
    /// What all who have the request call it; nil where it has no such name.
    package var externalID: String?
    package var method: String
    package var path: String
    package var status: Int?
    package var requestBytes: Int
    package var responseBytes: Int
    package var timing: RequestTiming
    /// The trace that it belongs to; nil for none.
    package var trace: RequestTrace?
    package var callerAddress: String
    package var certificateName: String?
    package var outcome: AccessOutcome
    package var level: AccessLevel

    package init(
        serverName: String, tokenHint: String?, requestID: UInt64, externalID: String? = nil, method: String,
        path: String, status: Int? = nil, requestBytes: Int = 0, responseBytes: Int = 0,
        timing: RequestTiming = RequestTiming(whole: 0), callerAddress: String,
        certificateName: String? = nil, trace: RequestTrace? = nil, outcome: AccessOutcome,
        level: AccessLevel = .info
    ) {
        self.serverName = serverName
        self.tokenHint = tokenHint
        self.requestID = requestID
        self.externalID = externalID
        self.method = method
        self.path = path
        self.status = status
        self.requestBytes = requestBytes
        self.responseBytes = responseBytes
        self.timing = timing
        self.callerAddress = callerAddress
        self.certificateName = certificateName
        self.trace = trace
        self.outcome = outcome
        self.level = level
    }

    /// To the head of the answer; nil without one.
    package var timeToFirstByte: Duration? { timing.firstByte.map { .nanoseconds($0) } }
    package var duration: Duration { .nanoseconds(timing.whole) }

    /// That of its `traceparent`: 32 hexadecimal digits.
    package var traceID: String? { trace?.traceID }

    /// How much of a path a line shows, in bytes.
    static let longestPath = 1024
    /// How much of a method a line shows, in bytes: a method may be any token.
    static let longestMethod = 32

    /// Whether it went wrong, or its caller waited long for the head of the answer.
    var isTrouble: Bool {
        if let firstByte = timing.firstByte, firstByte >= Self.slowFrom { return true }
        return isFailure
    }

    /// Whether it went wrong.
    var isFailure: Bool {
        switch outcome {
        case .ok, .answeredHere, .callerLeft: (status ?? 0) >= 500
        case .callerFailed, .originFailed, .tunnelLost, .noTunnel, .timeout, .shutdown: true
        }
    }

    /// In nanoseconds.
    private static let slowFrom = Int64(RequestSnapshot.slowFrom) * 1_000_000

    /// The record as a line of one of the sinks: in text as the Go program has it.
    ///
    /// - Parameter memory: what it is written into; empty.
    borrowing func line(
        in memory: consuming LineBytes, for sink: LogSink, at timestamp: LogTimestamp
    ) -> LineBytes {
        let format = sink.format
        let isText = format == .text
        var line = sink.makeLine(
            in: memory, at: timestamp, level: level.value, logger: "access",
            message: isText ? "HTTP RET" : "Request", format: format)
        addAll(to: &line, isText: isText)
        return line.end()
    }

    /// The record as a line.
    package func line(format: LogFormat, at timestamp: LogTimestamp) -> [UInt8] {
        let isText = format == .text
        var line = LogLine(
            LineBytes(), format: format, at: timestamp, level: level.value, logger: "access",
            message: isText ? "HTTP RET" : "Request")
        addAll(to: &line, isText: isText)
        return line.end().array()
    }

    private borrowing func addAll(to line: inout LogLine, isText: Bool) {
        if isText { addOldFields(to: &line) } else { addFields(to: &line) }
        addMeasures(to: &line)
    }

    private borrowing func addFields(to line: inout LogLine) {
        line.add("server.name", serverName)
        if let tokenHint { line.add("token.hint", tokenHint) }
        line.add("request.id", requestID)
        line.add("method", method, limit: Self.longestMethod)
        line.add("path", path, limit: Self.longestPath)
        if let status { line.add("status", status) }
    }

    private borrowing func addOldFields(to line: inout LogLine) {
        line.addOldFields(tokenHint: tokenHint, requestID: requestID)
        // Who left before an answer has this status, as in the old log.
        if let status = status ?? (outcome == .callerLeft ? 499 : nil) { line.add("status", status) }
        line.add("verb", method, limit: Self.longestMethod)
        line.add("url", path, limit: Self.longestPath)
        line.add("server.name", serverName)
    }

    private borrowing func addMeasures(to line: inout LogLine) {
        line.add("request.bytes", requestBytes)
        line.add("response.bytes", responseBytes)
        if let time = timing.firstByte { line.add("first-byte.ms", Milliseconds(nanoseconds: time)) }
        if let time = timing.queue { line.add("queue.ms", Milliseconds(nanoseconds: time)) }
        if let time = timing.tunnel { line.add("tunnel.ms", Milliseconds(nanoseconds: time)) }
        if let time = timing.origin { line.add("origin.ms", Milliseconds(nanoseconds: time)) }
        line.add("duration.ms", Milliseconds(nanoseconds: timing.whole))
        line.add("caller.address", callerAddress)
        if let externalID { line.add("x-request-id", externalID) }
        if let traceID { line.add("trace.id", traceID) }
        if let certificateName { line.add("certificate.name", certificateName) }
        line.add(word: outcome.word, as: "outcome")
    }
}

/// A request on its way, as the Go program's log tells it: only in text.
package enum AccessStep: Sendable {
    /// `HTTP RCV`, level info: it came.
    case received(method: String, path: String, caller: String, xHost: String?, attempt: Int)
    /// `WS SND`, level debug: its head went into a session.
    case sent(method: String, path: String)
    /// `WS RCV`, level debug: the head of its answer came out of a session, so many bytes long.
    case answered(sessionID: UInt64, bytes: Int)
}

extension LogLine {
    fileprivate mutating func addOldFields(tokenHint: String?, requestID: UInt64) {
        add("pkg", "WStunsrv")
        add("token", tokenHint ?? "-")
        add("id", requestID)
    }
}

/// Memory for the lines of one event loop: each is written into that of the one before.
package final class LineMemory {
    /// None before the first, for servers that have no requests.
    private var bytes: LineBytes?

    package init() {}

    /// - Returns: empty, and nobody else's.
    func take() -> LineBytes { bytes.take() ?? LineBytes() }

    /// - Parameter memory: empty.
    func putBack(_ memory: consuming LineBytes) { bytes = consume memory }
}

/// Writes the lines of requests, past swift-log and the dictionary it would want for each.
package struct AccessLog: Sendable {
    private let sinks: [LogSink]
    private let level: AgentLogLevel
    private let feed: Feed<EndedRequest>
    private let troubles: Feed<EndedRequest>

    init(
        sinks: [LogSink], level: AgentLogLevel, feed: Feed<EndedRequest>,
        troubles: Feed<EndedRequest>
    ) {
        self.sinks = sinks
        self.level = level
        self.feed = feed
        self.troubles = troubles
    }

    /// False when the level leaves requests out: then a record need not even be made.
    package var isEnabled: Bool { level.value <= .info }

    /// Whether requests on their way are told of.
    package var tellsSteps: Bool { isEnabled && sinks.contains { $0.format == .text } }

    /// Writes the request's line, when it is over. Never waits.
    ///
    /// - Parameter lines: what the line is written into.
    package func write(_ record: borrowing AccessRecord, in lines: LineMemory = LineMemory()) {
        let isWanted = feed.isWanted
        guard isEnabled || isWanted else { return }
        let isTrouble = record.isTrouble
        if isWanted || isTrouble {
            let request = EndedRequest(copy record, at: UnixTime.milliseconds)
            if isWanted { feed.publish { _ in request } }
            if isTrouble { troubles.publish { _ in request } }
        }
        guard isEnabled, level.value <= record.level.value else { return }
        let now = LogTimestamp.now()
        for sink in sinks {
            var line = record.line(in: lines.take(), for: sink, at: now)
            sink.append(line)
            line.removeAll()
            lines.putBack(line)
        }
    }

    /// Writes a line about a request on its way, where lines are text. Never waits.
    package func write(_ step: @autoclosure () -> AccessStep, tokenHint: String?, requestID: UInt64) {
        guard tellsSteps else { return }
        let step = step()
        let stepLevel: Logger.Level = if case .received = step { .info } else { .debug }
        guard level.value <= stepLevel else { return }
        let now = LogTimestamp.now()
        for sink in sinks where sink.format == .text {
            var line = sink.makeLine(
                at: now, level: stepLevel, logger: "access", message: step.message, format: .text)
            line.addOldFields(tokenHint: tokenHint, requestID: requestID)
            step.addFields(to: &line)
            sink.append(line.end())
        }
    }
}

extension AccessStep {
    fileprivate var message: String {
        switch self {
        case .received: "HTTP RCV"
        case .sent: "WS SND"
        case .answered: "WS RCV"
        }
    }

    fileprivate func addFields(to line: inout LogLine) {
        switch self {
        case .received(let method, let path, let caller, let xHost, let attempt):
            line.add("verb", method, limit: AccessRecord.longestMethod)
            line.add("url", path, limit: AccessRecord.longestPath)
            line.add("addr", caller)
            line.add("x-host", xHost ?? "", limit: AccessRecord.longestPath)
            line.add("try", attempt > 1 ? "(attempt #\(attempt))" : "")
        case .sent(let method, let path):
            line.add("info", "\(method) \(path)", limit: AccessRecord.longestPath)
        case .answered(let sessionID, let bytes):
            line.add("ws", sessionID)
            line.add("len", bytes)
        }
    }
}
