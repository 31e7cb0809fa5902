package import AgentStatus
package import Logging
internal import Synchronization

/// The agent's log: where its lines go and which are written. Made once, at the start, and handed down;
/// nothing is registered process-wide.
package struct AgentLog: Sendable {
    /// Where the lines go. Whoever made them closes them, after the last logger fell silent.
    package let sink: LogSink
    /// Where the same lines go as messages for syslog, if anywhere.
    package let syslog: LogSink?
    /// The level of all loggers made here that were given none of their own.
    package let level: AgentLogLevel
    /// Fields that every line gets from elsewhere, such as the node's name.
    package let metadataProvider: Logger.MetadataProvider?
    /// What happens, for programs, beside the lines for people.
    package let events = EventStream()
    /// Requests that are over, for who asks for them while they come.
    package let requests = Feed<RequestSnapshot>(capacity: 4096)
    /// Its lines, for who asks the agent for them.
    package let logs: LogFeed

    package init(
        sink: LogSink, syslog: LogSink? = nil, level: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.sink = sink
        self.syslog = syslog
        self.level = AgentLogLevel(level)
        self.logs = LogFeed(self.level)
        self.metadataProvider = metadataProvider
    }

    /// A logger whose lines carry the label.
    package func makeLogger(label: String) -> Logger {
        Logger(label: label) { label in
            var handler = AgentLogHandler(label: label, sinks: sinks, level: level, logs: logs)
            handler.metadataProvider = metadataProvider
            return handler
        }
    }

    /// The log of callers' requests, in the same places.
    package var access: AccessLog { AccessLog(sinks: sinks, level: level, feed: requests) }

    /// Writes what is left, within the time for each place, and takes no more. Safe to call again.
    package func close(timeout: Duration = .seconds(2)) {
        for sink in sinks { sink.close(timeout: timeout) }
    }

    private var sinks: [LogSink] { syslog.map { [sink, $0] } ?? [sink] }
}

/// The level that all loggers of the agent share; a change counts from the next line on.
package final class AgentLogLevel: Sendable {
    private static let levels = Logger.Level.allCases
    /// The place in `levels`, from the most talkative to the most silent.
    private let index: Atomic<Int>
    /// The same of the most talkative level that somebody hears; warnings always are.
    private let heard = Atomic<Int>(AgentLogLevel.index(of: .warning))

    package init(_ level: Logger.Level) {
        index = Atomic(Self.index(of: level))
    }

    /// The least important level of which lines are made: written, or heard.
    var lowest: Logger.Level {
        Self.levels[min(index.load(ordering: .relaxed), heard.load(ordering: .relaxed))]
    }

    func isHeard(_ level: Logger.Level) -> Bool { Self.index(of: level) >= heard.load(ordering: .relaxed) }

    /// - Parameter level: nil when nobody listens.
    func hear(from level: Logger.Level?) {
        heard.store(Self.index(of: min(level ?? .warning, .warning)), ordering: .relaxed)
    }

    /// The least important level that is written.
    package var value: Logger.Level {
        get { Self.levels[index.load(ordering: .relaxed)] }
        set { index.store(Self.index(of: newValue), ordering: .relaxed) }
    }

    private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
}
