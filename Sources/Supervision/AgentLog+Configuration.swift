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
        let format: LogFormat? =
            switch configuration.format {
            case .auto: nil
            case .text: .text
            case .logfmt: .logfmt
            case .json: .json
            }
        let level: Logger.Level =
            switch configuration.level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            }
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
}
