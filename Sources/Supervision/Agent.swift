package import HostSystem
import Logging
import NIOCore
import NIOPosix
package import Observability
package import Reconciliation
import SystemPackage
import TunnelClient
package import TunnelConfiguration
import TunnelServer
import TunnelTransport

/// The process: every tunnel server and tunnel client of a configuration, from the start over reloads to the last
/// byte.
///
/// Servers must all come up, or none does. A tunnel that cannot connect is that tunnel's trouble: the others run.
package struct Agent: Sendable {
    /// The configuration file of an agent, and how to read it.
    package struct ConfigurationFile: Sendable {
        /// As it was named.
        let path: String
        /// What was read of it and around it.
        let sources: ConfigurationSources
        /// The files that were read.
        package var files: [String] { sources.files }
        /// When reading it began.
        let readAt: WatchMoment
        /// Reads it as it is now; waits for files and commands.
        let load: @Sendable () -> ConfigurationReport

        package init(
            path: String, sources: ConfigurationSources, readAt: WatchMoment,
            load: @escaping @Sendable () -> ConfigurationReport
        ) {
            self.path = path
            self.sources = sources
            self.readAt = readAt
            self.load = load
        }
    }

    private let configuration: AgentConfiguration
    private let file: ConfigurationFile?
    private let log: AgentLog
    private let software: String
    private let takesOver: Bool
    private let service: ServiceEnvironment
    private let reloads: Blocking

    /// - Parameters:
    ///   - file: what a reload reads; nil when flags said it all.
    ///   - software: program and version, as peers are told.
    ///   - takesOver: whether it takes the place of an agent that runs by the same file.
    ///   - service: what the service manager has told.
    ///   - reloads: where the configuration is read and prepared.
    package init(
        _ configuration: AgentConfiguration, file: ConfigurationFile? = nil, log: AgentLog,
        software: String, takesOver: Bool = false, service: ServiceEnvironment, reloads: Blocking
    ) {
        self.configuration = configuration
        self.file = file
        self.log = log
        self.software = software
        self.takesOver = takesOver
        self.service = service
        self.reloads = reloads
    }

    /// Starts everything and runs until a signal asks for the end.
    ///
    /// - Parameter signals: caught since before the configuration was read.
    package func run(_ signals: AgentSignals) async -> SupervisorMachine.Outcome {
        let logger = log.makeLogger(label: "agent")
        do throws(Errno) {
            try OpenFileLimit.raise()
        } catch {
            logger.warning("Cannot raise the limit on open files", metadata: [.errorMessage: "\(error)"])
        }
        let inherited: [String: ListeningSocket]
        do {
            inherited = try Self.inheritedSockets(service)
        } catch {
            log.cannotStart("\(error)", logger)
            return .failedToStart
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        let hasSystemRoots = { @Sendable in SystemRoots.areThere(on: SystemConfigurationSource()) }
        let means = AgentMeans(
            group: group, log: log, budget: ProcessReceiveBudget(),
            trust: TrustPool(hasSystemRoots: hasSystemRoots), hasSystemRoots: hasSystemRoots,
            pacer: DialPacer(), software: software, inherited: inherited, configurationFile: file?.path,
            takesOver: takesOver, reloads: reloads)
        let supervisor = await Supervisor(
            configuration, means: means, notifier: SystemdNotifier(service, logger: logger), file: file)
        let mailbox = supervisor.mailbox
        signals.attach { order in
            switch order {
            case .reload: mailbox.yield(.reloadRequested(ReloadRequest(.hangup)))
            case .stop: mailbox.yield(.stopRequested)
            }
        }
        let outcome = await supervisor.run()
        if outcome == .gaveUp { logger.error("Nothing is left to run: every tunnel gave up", metadata: [:]) }
        try? await group.shutdownGracefully()
        logger.info("Agent stopped", metadata: [:])
        return outcome
    }

    private static func inheritedSockets(_ service: ServiceEnvironment) throws -> [String: ListeningSocket] {
        var sockets: [String: ListeningSocket] = [:]
        for socket in try service.sockets.get() {
            let listening = try ListeningSocket(inherited: socket.descriptor)
            guard sockets.updateValue(listening, forKey: socket.name) == nil else {
                throw InheritedSocketsError.sameName(socket.name)
            }
        }
        return sockets
    }
}
