internal import Logging

/// One line in the making: header, then fields in the order they are added, then its end.
///
/// Everything that can vary goes through `LogEscaping`, so the bytes hold exactly one newline, the last.
struct LogLine {
    private(set) var bytes: [UInt8] = []
    private let format: LogFormat

    /// Names that the header has taken; a field of that name gets a `_` behind it.
    private static let headerNames: Set<String> = ["time", "level", "logger", "message"]

    /// Begins a line.
    init(
        format: LogFormat, at timestamp: LogTimestamp, level: Logger.Level, logger: String,
        message: String
    ) {
        self.format = format
        bytes.reserveCapacity(512)
        switch format {
        case .text:
            timestamp.append(to: &bytes)
            append(" ")
            append(Self.textName(of: level))
            append(" ")
            LogEscaping.appendName(logger, to: &bytes)
            append(": ")
            LogEscaping.appendBare(message, to: &bytes)
        case .logfmt:
            append("time=")
            timestamp.append(to: &bytes)
            append(" level=")
            append(level.rawValue)
            append(" logger=")
            LogEscaping.appendName(logger, to: &bytes)
            append(" message=")
            appendQuoted(message)
        case .json:
            append(#"{"time":""#)
            timestamp.append(to: &bytes)
            append(#"","level":""#)
            append(level.rawValue)
            append(#"","logger":"#)
            appendQuoted(logger)
            append(#","message":"#)
            appendQuoted(message)
        }
    }

    /// Adds a field of text.
    ///
    /// - Parameter limit: how much of the value is shown, in bytes.
    mutating func add(_ name: String, _ value: String, limit: Int = LogEscaping.longestValue) {
        beginField(name)
        if format != .json, value.utf8.count <= limit, LogEscaping.isPlain(value) {
            append(value)
        } else {
            appendQuoted(value, limit: limit)
        }
    }

    /// Adds a field that is a number (in JSON too).
    ///
    /// - Parameter number: a number as JSON writes it; it is not escaped.
    mutating func add(_ name: String, number: some CustomStringConvertible) {
        beginField(name)
        append(number.description)
    }

    /// Adds a field with the value that a log call gave.
    mutating func add(_ name: String, _ value: Logger.MetadataValue) {
        guard case .stringConvertible(let convertible) = value else {
            return add(name, value.description)
        }
        switch convertible {
        case let integer as any BinaryInteger: add(name, number: integer.description)
        case let milliseconds as Milliseconds: add(name, number: milliseconds)
        case let float as Double where float.isFinite: add(name, number: float)
        case let flag as Bool: add(name, number: flag)
        default: add(name, convertible.description)
        }
    }

    /// Ends the line and gives its bytes, the newline included.
    consuming func end() -> [UInt8] {
        if format == .json { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private mutating func beginField(_ name: String) {
        let freeName = Self.headerNames.contains(name) ? name + "_" : name
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

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

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
