internal import Glibc
package import Logging
internal import Synchronization

/// A place for log lines.
package enum LogDestination: Sendable, Hashable {
    /// An open descriptor, such as standard error; it is never closed by the log.
    case descriptor(Int32)
    /// A file, appended to, and made with mode 0640 where it is missing.
    case file(path: String)
}

/// A place for log lines that is open, and the format that it gets.
struct LogTarget: Sendable {
    var descriptor: LogDescriptor
    /// The file's path, or nil.
    var path: String?
    var format: LogFormat

    /// - Parameter format: nil for text on a terminal, else logfmt.
    init(_ destination: LogDestination, format: LogFormat?) throws(LogSinkError) {
        switch destination {
        case .descriptor(let number): descriptor = LogDescriptor(number: number, isOwned: false)
        case .file(let path):
            self.path = path
            descriptor = LogDescriptor(number: try LogOutput.openFile(path), isOwned: true)
        }
        self.format = format ?? .automatic(isTerminal: isatty(descriptor.number) == 1)
    }
}

/// New settings of a log that runs: everything that can fail is done, nothing has changed yet.
///
/// Holds the opened file until `AgentLog.commit`; a change that is given up closes it.
package final class LogChange: Sendable {
    let level: Logger.Level
    private let target: Mutex<LogTarget?>

    init(level: Logger.Level, target: LogTarget) {
        self.level = level
        self.target = Mutex(target)
    }

    deinit { take()?.descriptor.close() }

    /// The opened place, once.
    func take() -> LogTarget? {
        target.withLock { target in
            defer { target = nil }
            return target
        }
    }
}

extension AgentLog {
    /// Opens what new settings ask for. A file is opened anew even when it is the same one: it may have been moved
    /// away by log rotation.
    ///
    /// - Parameter format: nil for text on a terminal, else logfmt.
    /// - Throws: `LogSinkError` when the file cannot be opened; nothing has changed then.
    package func prepare(
        level: Logger.Level, format: LogFormat?, destination: LogDestination
    ) throws(LogSinkError) -> LogChange {
        LogChange(level: level, target: try LogTarget(destination, format: format))
    }

    /// Applies new settings from the next line on, also to loggers and access logs made before. Lines of before go to
    /// the old place; so do lines between two changes that follow each other faster than it takes them. Never waits and
    /// cannot fail; a change counts once.
    package func commit(_ change: LogChange) {
        guard let target = change.take() else { return }
        level.configure(change.level)
        sink.adopt(target)
    }
}
