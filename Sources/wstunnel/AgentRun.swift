import ArgumentParser
import Glibc
import HostSystem
import Observability
import Reconciliation
import Supervision
import TunnelConfiguration

/// Runs an agent from its configuration to its end, wherever the configuration came from.
enum AgentRun {
    /// A reader of our messages that has gone must not end the process.
    static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

    /// Before anything takes descriptors of its own: libraries end the process when they get none.
    private static func hasRoomForFiles(named name: String) -> Bool {
        guard let shortage = OpenFileLimit.shortage() else { return true }
        Terminal.printToStandardError("\(name): \(shortage)\n")
        return false
    }

    /// Runs what a file says.
    ///
    /// - Returns: the exit code.
    static func run(file: String, takesOver: Bool) async -> CInt {
        ignoreBrokenPipes()
        guard hasRoomForFiles(named: file) else { return ExitStatus.failure.rawValue }
        let service = ServiceEnvironment.take()
        return await obeyingSignals { signals, commands, reloads in
            let load: @Sendable () -> ConfigurationReport = {
                loadConfiguration(at: file, from: SystemConfigurationSource.ofAgent(commands: commands))
            }
            let readAt = WatchMoment.now()
            guard let report = await reloads.run(unless: signals.untilStop, load) else { return 0 }
            if !report.problems.isEmpty { Terminal.printToStandardError(report) }
            guard let configuration = report.configuration else {
                return ExitStatus.badConfiguration.rawValue
            }
            return await start(
                configuration, named: file, signals, service, reloads, takesOver: takesOver,
                file: Agent.ConfigurationFile(path: file, sources: report.sources, readAt: readAt, load: load)
            )
        }
    }

    /// Runs what flags say.
    ///
    /// - Parameters:
    ///   - name: the command that problems are reported for.
    ///   - load: reads the files that flags name, running commands that are counted; nil when it has told what is wrong.
    ///   - badUsage: the exit code then.
    static func run(
        named name: String, badUsage: CInt,
        load: @escaping @Sendable (RunningCommands) -> AgentConfiguration?
    ) async -> CInt {
        ignoreBrokenPipes()
        guard hasRoomForFiles(named: name) else { return ExitStatus.failure.rawValue }
        let service = ServiceEnvironment.take()
        return await obeyingSignals { signals, commands, reloads in
            let read = await reloads.run(unless: signals.untilStop) { load(commands) }
            guard let read else { return 0 }
            guard let configuration = read else { return badUsage }
            return await start(configuration, named: name, signals, service, reloads)
        }
    }

    /// Signals are caught before anything slow begins.
    private static func obeyingSignals(
        _ work: @escaping @Sendable (AgentSignals, RunningCommands, Blocking) async -> CInt
    ) async -> CInt {
        let signals = await AgentSignals()
        let commands = RunningCommands()
        let reloads = Blocking()
        return await withTaskGroup(of: CInt?.self) { group in
            group.addTask {
                await signals.relay()
                return nil
            }
            group.addTask { await work(signals, commands, reloads) }
            var code: CInt = 0
            for await end in group {
                guard let end else { continue }
                code = end
                commands.kill()
                group.cancelAll()
            }
            return code
        }
    }

    private static func start(
        _ configuration: AgentConfiguration, named name: String, _ signals: AgentSignals,
        _ service: ServiceEnvironment, _ reloads: Blocking, takesOver: Bool = false,
        file: Agent.ConfigurationFile? = nil
    ) async -> CInt {
        let log: AgentLog
        do throws(LogSinkError) {
            log = try AgentLog(configuration.log, besides: file?.files ?? [])
        } catch {
            Terminal.printToStandardError("\(name): log.file: \(error)\n")
            return ExitStatus.failure.rawValue
        }
        let agent = Agent(
            configuration, file: file, log: log, software: Version.text, takesOver: takesOver,
            service: service, reloads: reloads)
        let outcome = await agent.run(signals)
        log.close()
        return outcome == .stopped ? 0 : ExitStatus.failure.rawValue
    }
}
