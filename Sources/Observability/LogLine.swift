internal import Logging

/// One line in the making: header, then fields in the order they are added, then its end.
///
/// Everything that can vary goes through `LogEscaping`, so the bytes hold exactly one newline, the last.
struct LogLine: ~Copyable {
    private var bytes: LineBytes
    private let format: LogFormat

    /// Begins a line.
    init(
        format: LogFormat, at timestamp: LogTimestamp, level: Logger.Level, logger: String,
        message: String
    ) {
        self.format = format
        bytes = LineBytes()
        appendFront(timestamp, level)
        switch format {
        case .text:
            LogEscaping.appendName(logger, to: &bytes)
            append(": ")
            LogEscaping.appendBare(message, to: &bytes)
        case .logfmt:
            LogEscaping.appendName(logger, to: &bytes)
            append(" message=")
            appendQuoted(message)
        case .json:
            appendQuoted(logger)
            append(#","message":"#)
            appendQuoted(message)
        }
    }

    /// Begins a message for syslog: its header, and then as `text` has it, but without time and level, which the header
    /// tells.
    init(
        syslog header: SyslogHeader, at timestamp: LogTimestamp, level: Logger.Level, logger: String,
        message: String
    ) {
        self.format = .text
        bytes = LineBytes()
        header.append(to: &bytes, at: timestamp, level: level)
        LogEscaping.appendName(logger, to: &bytes)
        append(": ")
        LogEscaping.appendBare(message, to: &bytes)
    }

    /// Begins a line whose words are plain ASCII of our own: nothing of it need be looked at.
    ///
    /// - Parameters:
    ///   - memory: what it is written into; empty.
    ///   - syslog: its header, where it is for syslog; then the format is text.
    init(
        _ memory: consuming LineBytes, format: LogFormat, syslog header: SyslogHeader? = nil,
        at timestamp: LogTimestamp, level: Logger.Level, logger: StaticString, message: StaticString
    ) {
        let format = header == nil ? format : .text
        self.format = format
        bytes = memory
        if let header {
            header.append(to: &bytes, at: timestamp, level: level)
        } else {
            appendFront(timestamp, level)
        }
        switch format {
        case .text:
            bytes.append(logger, ": ", message)
        case .logfmt:
            bytes.append(logger, " message=\"", message)
            append("\"")
        case .json:
            bytes.append("\"", logger, #"","message":""#)
            bytes.append(message, "\"", "")
        }
    }

    /// Appends what stands before the logger.
    private mutating func appendFront(_ timestamp: LogTimestamp, _ level: Logger.Level) {
        switch format {
        case .text:
            timestamp.append(to: &bytes)
            append(" ")
            bytes.append(utf8: Self.textName(of: level))
            append(" ")
        case .logfmt:
            append("time=")
            timestamp.append(to: &bytes)
            append(" level=")
            appendName(of: level)
            append(" logger=")
        case .json:
            append(#"{"time":""#)
            timestamp.append(to: &bytes)
            append(#"","level":""#)
            appendName(of: level)
            append(#"","logger":"#)
        }
    }

    /// Adds a field of text, under a name of our own: plain ASCII, and none of the header's.
    ///
    /// - Parameter limit: how much of the value is shown, in bytes.
    @inline(__always)
    mutating func add(_ name: StaticString, _ value: String, limit: Int = LogEscaping.longestValue) {
        beginField(name)
        appendValue(value, limit: limit)
    }

    /// Adds a whole number, under a name of our own.
    @inline(__always)
    mutating func add(_ name: StaticString, _ number: Int) {
        beginField(name)
        bytes.append(decimal: Int64(number))
    }

    /// Adds a whole number, under a name of our own.
    @inline(__always)
    mutating func add(_ name: StaticString, _ number: UInt64) {
        beginField(name)
        bytes.append(decimal: number)
    }

    /// Adds a text of our own, in plain ASCII.
    @inline(__always)
    mutating func add(word: StaticString, as name: StaticString) {
        switch format {
        case .text, .logfmt:
            bytes.append(" ", name, "=")
            append(word)
        case .json:
            bytes.append(",\"", name, "\":\"")
            bytes.append(word, "\"", "")
        }
    }

    /// Adds a duration in milliseconds, under a name of our own.
    @inline(__always)
    mutating func add(_ name: StaticString, _ duration: Milliseconds) {
        beginField(name)
        duration.append(to: &bytes)
    }

    /// Adds what a log call gave, whatever its name and value hold.
    mutating func add(metadata name: String, _ value: Logger.MetadataValue) {
        beginForeignField(name)
        guard case .stringConvertible(let convertible) = value else { return appendValue(value.description) }
        switch convertible {
        // These print as JSON writes them.
        case let integer as any BinaryInteger: bytes.append(utf8: integer.description)
        case let duration as Milliseconds: duration.append(to: &bytes)
        case let float as Double where float.isFinite: bytes.append(utf8: float.description)
        case let flag as Bool: bytes.append(utf8: flag.description)
        default: appendValue(convertible.description)
        }
    }

    /// Ends the line and gives its bytes, the newline included.
    consuming func end() -> LineBytes {
        if format == .json { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    @inline(__always)
    private mutating func beginField(_ name: StaticString) {
        switch format {
        case .text, .logfmt:
            bytes.append(" ", name, "=")
        case .json:
            bytes.append(",\"", name, "\":")
        }
    }

    private mutating func beginForeignField(_ name: String) {
        let isTaken = name == "time" || name == "level" || name == "logger" || name == "message"
        let freeName = isTaken ? name + "_" : name
        switch format {
        case .text, .logfmt:
            append(" ")
            LogEscaping.appendName(freeName, to: &bytes)
            append("=")
        case .json:
            append(",")
            appendQuoted(freeName)
            append(":")
        }
    }

    private mutating func appendValue(_ value: String, limit: Int = LogEscaping.longestValue) {
        if format != .json, value.utf8.count <= limit, LogEscaping.appendPlain(value, to: &bytes) { return }
        appendQuoted(value, limit: limit)
    }

    /// Of literals alone: `append(utf8:)` of `LineBytes` is the one for other texts, and takes several times as long.
    @inline(__always)
    private mutating func append(_ text: StaticString) { bytes.append(text) }

    private mutating func appendQuoted(_ text: String, limit: Int = LogEscaping.longestValue) {
        bytes.append(UInt8(ascii: "\""))
        LogEscaping.append(text, limit: limit, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Nearly all lines of a busy agent are of this one.
    private mutating func appendName(of level: Logger.Level) {
        if level == .info { append("info") } else { bytes.append(utf8: level.rawValue) }
    }

    /// Five characters, so that what follows stands in one column.
    private static func textName(of level: Logger.Level) -> String {
        switch level {
        case .trace: "TRACE"
        case .debug: "DEBUG"
        case .info: "INFO "
        case .notice: "NOTE "
        case .warning: "WARN "
        case .error: "ERROR"
        case .critical: "FATAL"
        }
    }
}
