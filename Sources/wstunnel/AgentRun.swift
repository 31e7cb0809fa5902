import ArgumentParser
import Glibc
import Observability
import Supervision
import TunnelConfiguration

/// Runs an agent from a checked configuration to its end, wherever the configuration came from.
enum AgentRun {
    /// Secrets may come from commands that take a while: from the first moment on neither a hangup, nor a reader of
    /// our messages that has gone, ends the process.
    static func ignoreHangup() {
        signal(SIGHUP, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
    }

    /// - Parameter name: the file or command that problems are reported for.
    /// - Returns: the exit code.
    static func run(_ configuration: AgentConfiguration, named name: String) async -> CInt {
        ignoreHangup()
        let log: AgentLog
        do throws(LogSinkError) {
            log = try AgentLog(configuration.log)
        } catch {
            Terminal.printToStandardError("\(name): log.file: \(error)\n")
            return ExitStatus.failure.rawValue
        }
        let outcome = await Agent(configuration, log: log, software: Version.text).run()
        log.close()
        return outcome == .stopped ? 0 : ExitStatus.failure.rawValue
    }
}
