import ArgumentParser
import Glibc
import Observability
import Supervision
import TunnelConfiguration

/// `wstunnel --config tunnels.yaml`
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Starts the agent (the default).")

    @Option(name: [.long, .customShort("c")], help: "The configuration file.")
    var config: String

    func run() async throws {
        // Secrets may come from commands that take a while: from the first moment on neither a hangup, nor a reader
        // of our messages that has gone, ends the process.
        signal(SIGHUP, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        let report = loadConfiguration(at: config, from: SystemConfigurationSource())
        if !report.problems.isEmpty { Terminal.printToStandardError(report) }
        guard let configuration = report.configuration else { throw ExitStatus.badConfiguration }
        let log: AgentLog
        do throws(LogSinkError) {
            log = try AgentLog(configuration.log)
        } catch {
            Terminal.printToStandardError("\(config): log.file: \(error)\n")
            throw ExitStatus.failure
        }
        let outcome = await Agent(configuration, log: log, software: Version.text).run()
        log.close()
        guard outcome == .stopped else { throw ExitStatus.failure }
    }
}
