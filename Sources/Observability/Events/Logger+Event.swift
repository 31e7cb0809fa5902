package import AgentStatus
package import Logging

extension Logger {
    /// Tells a fact once for both: the log, where its level is written, and whoever reads the agent's events. What an event
    /// says stands in the fields of the line and of this logger.
    ///
    /// - Parameters:
    ///   - message: constant text.
    ///   - detail: for people, behind the message of the event; without it the line's error or reason.
    package func tell(
        _ kind: AgentEvent.Kind, _ level: Logger.Level, _ message: String,
        metadata fields: LogFields = [:], detail: String? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        let fields = Logger.Metadata(fields)
        publish(kind, message, fields, detail)
        log(
            level: level, "\(message)", metadata: fields, file: file, function: function, line: line)
    }

    /// Tells those who read the agent's events, and not the log.
    package func publish(
        _ kind: AgentEvent.Kind, _ message: String, _ fields: Logger.Metadata = [:], _ detail: String? = nil
    ) {
        guard let handler = handler as? AgentLogHandler else { return }
        func text(_ key: LogKey) -> String? {
            (fields[key] ?? handler[metadataKey: key.rawValue]).map { "\($0)" }
        }
        let detail = detail ?? text(.errorMessage) ?? text(.closeReason)
        handler.events.publish(
            AgentEvent(
                kind, server: text(.serverName), tunnel: text(.tunnelName), tokenHint: text(.tokenHint),
                session: text(.sessionID).flatMap { UInt64($0) },
                address: text(.peerAddress) ?? text(.originAddress) ?? text(.listenerAddress)
                    ?? text(.tunnelURL),
                code: text(.errorCode) ?? text(.loadCause).flatMap { $0 == "none" ? nil : $0 }
                    ?? (kind == .limitReached ? text(.limit) : nil),
                message: detail.map { $0.isEmpty ? message : "\(message): \($0)" } ?? message))
    }
}
