internal import Logging

/// One line in the making: header, then fields in the order they are added, then its end.
///
/// Everything that can vary goes through `LogEscaping`, so the bytes hold exactly one newline, the last.
struct LogLine: ~Copyable {
    private var bytes = LineBytes()
    private let format: LogFormat

    /// Begins a line.
    init(
        format: LogFormat, at timestamp: LogTimestamp, level: Logger.Level, logger: String,
        message: String
    ) {
        self.format = format
        switch format {
        case .text:
            timestamp.append(to: &bytes)
            append(" ")
            bytes.append(utf8: Self.textName(of: level))
            append(" ")
            LogEscaping.appendName(logger, to: &bytes)
            append(": ")
            LogEscaping.appendBare(message, to: &bytes)
        case .logfmt:
            append("time=")
            timestamp.append(to: &bytes)
            append(" level=")
            bytes.append(utf8: level.rawValue)
            append(" logger=")
            LogEscaping.appendName(logger, to: &bytes)
            append(" message=")
            appendQuoted(message)
        case .json:
            append(#"{"time":""#)
            timestamp.append(to: &bytes)
            append(#"","level":""#)
            bytes.append(utf8: level.rawValue)
            append(#"","logger":"#)
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
        header.append(to: &bytes, at: timestamp, level: level)
        LogEscaping.appendName(logger, to: &bytes)
        append(": ")
        LogEscaping.appendBare(message, to: &bytes)
    }

    /// Adds a field of text, under a name of our own: plain ASCII, and none of the header's.
    ///
    /// - Parameter limit: how much of the value is shown, in bytes.
    mutating func add(_ name: StaticString, _ value: String, limit: Int = LogEscaping.longestValue) {
        beginField(name)
        appendValue(value, limit: limit)
    }

    /// Adds a whole number, under a name of our own.
    mutating func add(_ name: StaticString, _ number: Int) {
        beginField(name)
        bytes.append(decimal: Int64(number))
    }

    /// Adds a whole number, under a name of our own.
    mutating func add(_ name: StaticString, _ number: UInt64) {
        beginField(name)
        bytes.append(decimal: number)
    }

    /// Adds a duration in milliseconds, under a name of our own.
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
    consuming func end() -> [UInt8] {
        if format == .json { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: "\n"))
        return bytes.array()
    }

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
    private mutating func append(_ text: StaticString) { bytes.append(text) }

    private mutating func appendQuoted(_ text: String, limit: Int = LogEscaping.longestValue) {
        bytes.append(UInt8(ascii: "\""))
        LogEscaping.append(text, limit: limit, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
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
