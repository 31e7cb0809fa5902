import Glibc
import Logging
package import Observability
package import TunnelConfiguration

extension AgentLog {
    /// The log that a configuration asks for.
    ///
    /// - Throws: `LogSinkError` when its file cannot be opened.
    package init(
        _ configuration: LogConfiguration, syslogPath: String = "/dev/log"
    ) throws(LogSinkError) {
        let format = configuration.format.logFormat
        let level = configuration.level.loggerLevel
        let sink: LogSink =
            switch configuration.destination {
            case .standardError: try LogSink(fileDescriptor: STDERR_FILENO, format: format)
            case .file(let path): try LogSink(path: path, format: format)
            }
        guard let facility = configuration.syslog else {
            self.init(sink: sink, level: level)
            return
        }
        let target = SyslogTarget(facilityCode: facility.code, path: syslogPath)
        self.init(sink: sink, syslog: try LogSink(syslog: target), level: level)
        do throws(LogSinkError) {
            try target.check()
        } catch {
            makeLogger(label: "log").warning(
                "Syslog is not there: its lines are dropped until it comes",
                metadata: [.errorMessage: "\(error)"])
        }
    }

    /// Opens what changed settings ask for, to be applied with `commit`. `syslog` is left out: it stays as it was at
    /// the start.
    ///
    /// - Throws: `LogSinkError` when the file cannot be opened; nothing has changed then.
    package func prepare(_ configuration: LogConfiguration) throws(LogSinkError) -> LogChange {
        let destination: LogDestination =
            switch configuration.destination {
            case .standardError: .descriptor(STDERR_FILENO)
            case .file(let path): .file(path: path)
            }
        return try prepare(
            level: configuration.level.loggerLevel, format: configuration.format.logFormat,
            destination: destination)
    }
}

extension LogConfiguration.Format {
    /// Nil for `auto`: the place decides.
    fileprivate var logFormat: LogFormat? {
        switch self {
        case .auto: nil
        case .text: .text
        case .logfmt: .logfmt
        case .json: .json
        }
    }
}

extension LogConfiguration.Level {
    fileprivate var loggerLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}
