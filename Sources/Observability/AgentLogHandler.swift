package import Logging

/// Puts what a `Logger` says into a line for each sink and hands it over.
///
/// Metadata and a level set on one logger stay with that logger; without a level of its own it follows the
/// agent's, which can change while the agent runs.
package struct AgentLogHandler: LogHandler {
    /// A dictionary of two is half a kilobyte, and every tunnel and every session has a logger.
    private var own: [(key: String, value: Logger.MetadataValue)] = []
    package var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let sinks: [LogSink]
    private let agentLevel: AgentLogLevel
    /// Where what a logger tells as an event goes.
    let events: EventStream
    private let logs: LogFeed
    private var ownLevel: Logger.Level?

    package init(
        label: String, sinks: [LogSink], level: AgentLogLevel, events: EventStream, logs: LogFeed
    ) {
        self.label = label
        self.logs = logs
        self.sinks = sinks
        self.agentLevel = level
        self.events = events
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? agentLevel.lowest }
        set { ownLevel = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { own.first { $0.key == key }?.value }
        set {
            own.removeAll { $0.key == key }
            if let newValue { own.append((key, newValue)) }
        }
    }

    package var metadata: Logger.Metadata {
        get { Logger.Metadata(uniqueKeysWithValues: own.map { ($0.key, $0.value) }) }
        set { own = newValue.map { ($0.key, $0.value) } }
    }

    package func log(event: LogEvent) {
        let fields = fields(of: event).sorted { $0.key < $1.key }
        let now = LogTimestamp.now()
        if logs.takes(event.level) {
            logs.publish(
                event.level, at: now, logger: label, message: event.message.description, fields: fields)
        }
        // What is only heard is not written.
        guard event.level >= ownLevel ?? agentLevel.value else { return }
        for sink in sinks {
            var line = sink.makeLine(
                at: now, level: event.level, logger: label, message: event.message.description)
            for (key, value) in fields { line.add(metadata: key, value) }
            sink.append(line.end())
        }
    }

    /// The nearer source wins: the call's own fields, then the logger's, then the provider's.
    private func fields(of event: LogEvent) -> Logger.Metadata {
        var fields = metadataProvider?.get() ?? [:]
        for (key, value) in own { fields[key] = value }
        if let ownFields = event.metadata { fields.merge(ownFields) { $1 } }
        if let error = event.error, fields[.errorMessage] == nil { fields[.errorMessage] = "\(error)" }
        return fields
    }
}
