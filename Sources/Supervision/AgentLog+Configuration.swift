import Glibc
import HostSystem
import Logging
package import Observability
package import TunnelConfiguration

extension AgentLog {
    /// The log that a configuration asks for.
    ///
    /// - Parameter sources: files of the configuration, which are no log.
    /// - Throws: `LogSinkError` when its file cannot be opened.
    package init(
        _ configuration: LogConfiguration, besides sources: [String] = [], syslogPath: String = "/dev/log"
    ) throws(LogSinkError) {
        try configuration.check(besides: sources)
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
    /// - Parameter sources: files of the configuration, which are no log.
    /// - Throws: `LogSinkError` when the file cannot be opened; nothing has changed then.
    package func prepare(
        _ configuration: LogConfiguration, besides sources: [String]
    ) throws(LogSinkError) -> LogChange {
        try configuration.check(besides: sources)
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

extension AgentLog {
    /// Tells why an agent cannot start: who started it sees that, wherever its log is.
    func cannotStart(_ fault: String, _ logger: Logger) {
        logger.error("Cannot start", metadata: [.errorMessage: "\(fault)"])
        if sink.isFile { StandardError.write("wstunnel: cannot start: \(fault)\n") }
    }
}

extension LogConfiguration {
    fileprivate func check(besides sources: [String]) throws(LogSinkError) {
        guard case .file(let path) = destination, OutputPath.leads(path, toOneOf: sources) else { return }
        throw LogSinkError(
            what: "cannot log to \(path)", reason: "it is a file of the configuration — name another")
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
    var loggerLevel: Logger.Level {
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
