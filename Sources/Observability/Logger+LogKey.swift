package import Logging

/// The levels with `LogKey` fields in place of hand-typed names. The message is constant text; whatever varies
/// is a field.
extension Logger {
    /// Logs what happens to a single message.
    package func trace(
        _ message: @autoclosure () -> Logger.Message, metadata fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .trace, message(), metadata: Logger.Metadata(fields()),
            file: file, function: function, line: line)
    }

    /// Logs what happens to a single stream.
    package func debug(
        _ message: @autoclosure () -> Logger.Message, metadata fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .debug, message(), metadata: Logger.Metadata(fields()),
            file: file, function: function, line: line)
    }

    /// Logs a step in the life of the agent, a server, a tunnel or a session.
    package func info(
        _ message: @autoclosure () -> Logger.Message, metadata fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .info, message(), metadata: Logger.Metadata(fields()),
            file: file, function: function, line: line)
    }

    /// Logs a change that someone asked for.
    package func notice(
        _ message: @autoclosure () -> Logger.Message, metadata fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .notice, message(), metadata: Logger.Metadata(fields()),
            file: file, function: function, line: line)
    }

    /// Logs something works less well than it should and is tried again.
    package func warning(
        _ message: @autoclosure () -> Logger.Message, metadata fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .warning, message(), metadata: Logger.Metadata(fields()),
            file: file, function: function, line: line)
    }

    /// Logs something that someone has to act upon.
    package func error(
        _ message: @autoclosure () -> Logger.Message, metadata fields: @autoclosure () -> LogFields,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: .error, message(), metadata: Logger.Metadata(fields()),
            file: file, function: function, line: line)
    }
}
