package import AgentStatus
internal import HostSystem
package import Logging
internal import Synchronization

/// Lines of the log for who asks the agent for them: all that somebody wants, while he listens, and the latest warnings for
/// who comes later. Lines of requests are none of them: `AgentLog.requests` has those.
package final class LogFeed: Sendable {
    /// Lines that are kept for who reads slowly.
    package static let capacity = 2048
    /// Warnings, and what is worse, that are always kept.
    package static let warningsKept = 200
    /// How much of a text an entry holds, in bytes.
    static let longestText = 1024

    /// Filled only while somebody listens.
    package let lines = Feed<LogEntry>(capacity: LogFeed.capacity)
    package let warnings = Feed<LogEntry>(capacity: LogFeed.warningsKept)
    private let level: AgentLogLevel
    private let count: Atomic<UInt64>
    /// How many listen from each level on.
    private let listeners = Mutex<[Logger.Level: Int]>([:])

    /// - Parameter startedAt: milliseconds since 1970; as those of events, ids are above all that an agent of before has given.
    init(_ level: AgentLogLevel, startedAt: Int64 = UnixTime.milliseconds) {
        self.level = level
        count = Atomic(EventStream.place(at: startedAt))
    }

    /// The id of the latest line, of any level.
    package var lastID: UInt64 { count.load(ordering: .relaxed) }

    /// Says that lines of a level, and of those above it, are wanted for as long as the result is held: also those that the
    /// agent's own level leaves out, which go nowhere else.
    package func listen(from level: Logger.Level) -> LogListening { LogListening(to: self, from: level) }

    /// Whether anybody is there for a line of that level.
    func takes(_ level: Logger.Level) -> Bool {
        level >= .warning || lines.isWanted && self.level.isHeard(level)
    }

    /// Passes a line on. Never waits.
    func publish(
        _ level: Logger.Level, at timestamp: LogTimestamp, logger: String, message: String,
        fields: [(key: String, value: Logger.MetadataValue)]
    ) {
        let id = count.wrappingAdd(1, ordering: .relaxed).newValue
        let texts = fields.map { ($0.key, Self.cut($0.value.description)) }
        let entry = LogEntry(
            id: id, at: timestamp.millisecondsSince1970, level: level.rawValue, logger: logger,
            message: Self.cut(message), fields: Dictionary(texts) { $1 })
        if level >= .warning { warnings.publish { _ in entry } }
        if lines.isWanted { lines.publish { _ in entry } }
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= longestText ? text : String(text.unicodeScalars.prefix(longestText / 4)) + "…"
    }

    fileprivate func count(_ change: Int, from level: Logger.Level) {
        listeners.withLock { listeners in
            listeners[level, default: 0] += change
            let lowest = listeners.filter { $0.value > 0 }.keys.min()
            self.level.hear(from: lowest)
        }
    }
}

/// Who holds it hears the log.
package final class LogListening: Sendable {
    package let logs: LogFeed
    private let level: Logger.Level

    fileprivate init(to logs: LogFeed, from level: Logger.Level) {
        self.logs = logs
        self.level = level
        logs.lines.subscribe()
        logs.count(1, from: level)
    }

    deinit {
        logs.count(-1, from: level)
        logs.lines.unsubscribe()
    }
}
