package import Logging
internal import Synchronization

/// The agent's log: where its lines go and which are written. Made once, at the start, and handed down;
/// nothing is registered process-wide.
package struct AgentLog: Sendable {
    /// Where the lines go. Whoever made it closes it, after the last logger fell silent.
    package let sink: LogSink
    /// The level of all loggers made here that were given none of their own.
    package let level: AgentLogLevel
    /// Fields that every line gets from elsewhere, such as the node's name.
    package let metadataProvider: Logger.MetadataProvider?

    package init(
        sink: LogSink, level: Logger.Level = .info, metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.sink = sink
        self.level = AgentLogLevel(level)
        self.metadataProvider = metadataProvider
    }

    /// A logger whose lines carry the label.
    package func makeLogger(label: String) -> Logger {
        Logger(label: label) { label in
            var handler = AgentLogHandler(label: label, sink: sink, level: level)
            handler.metadataProvider = metadataProvider
            return handler
        }
    }

    /// The log of callers' requests, in the same place.
    package var access: AccessLog { AccessLog(sink: sink, level: level) }
}

/// The level that all loggers of the agent share; a change counts from the next line on.
package final class AgentLogLevel: Sendable {
    private static let levels = Logger.Level.allCases
    /// The place in `levels`, from the most talkative to the most silent.
    private let index: Atomic<Int>

    package init(_ level: Logger.Level) {
        index = Atomic(Self.index(of: level))
    }

    /// The least important level that is written.
    package var value: Logger.Level {
        get { Self.levels[index.load(ordering: .relaxed)] }
        set { index.store(Self.index(of: newValue), ordering: .relaxed) }
    }

    private static func index(of level: Logger.Level) -> Int { levels.firstIndex(of: level) ?? 0 }
}
