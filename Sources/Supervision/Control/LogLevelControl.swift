import AdminAPI
import AgentStatus
import HostSystem
import Logging
import NIOCore
import NIOPosix
import Observability
import TunnelConfiguration

/// The log's level, as whoever runs the agent wants it for now.
@AgentActor final class LogLevelControl {
    private let means: AgentMeans
    private let logger: Logger
    /// Of the level that holds for now.
    private var end: Scheduled<Void>?

    init(_ means: AgentMeans, logger: Logger) {
        self.means = means
        self.logger = logger
    }

    var snapshot: LogLevelSnapshot {
        let level = means.log.level
        return LogLevelSnapshot(
            level: level.value.rawValue, configured: level.configured.rawValue,
            until: level.override?.until)
    }

    /// - Parameter duration: nil for until the next reload.
    func set(_ level: LogConfiguration.Level, for duration: Duration?) {
        end?.cancel()
        let (log, logger) = (means.log, logger)
        let until = duration.map { UnixTime.now + Int($0.components.seconds) }
        let number = log.level.override(by: level.loggerLevel, until: until)
        end = duration.map { duration in
            // It may be too late to call it off.
            means.group.next().scheduleTask(in: TimeAmount(duration)) {
                guard log.level.end(override: number) else { return }
                logger.notice(
                    "The log has its configured level again",
                    metadata: [.logLevel: "\(log.level.configured)"])
            }
        }
    }
}
