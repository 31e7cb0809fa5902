internal import AgentStatus
package import Logging

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
    package let requests = Feed<EndedRequest>(capacity: 4096)
    /// Those of them that went wrong or were slow, whether or not anybody asks; while requests are logged.
    package let troubles = Feed<EndedRequest>(capacity: 1024)

    /// Which requests are traced, and those that are over.
    package let tracing = Tracing()
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
            var handler = AgentLogHandler(
                label: label, sinks: sinks, level: level, events: events, logs: logs)
            handler.metadataProvider = metadataProvider
            return handler
        }
    }

    /// The log of callers' requests, in the same places.
    package var access: AccessLog {
        AccessLog(sinks: sinks, level: level, feed: requests, troubles: troubles)
    }

    /// Writes what is left, within the time for each place, and takes no more. Safe to call again.
    package func close(timeout: Duration = .seconds(2)) {
        for sink in sinks { sink.close(timeout: timeout) }
    }

    private var sinks: [LogSink] { syslog.map { [sink, $0] } ?? [sink] }
}
