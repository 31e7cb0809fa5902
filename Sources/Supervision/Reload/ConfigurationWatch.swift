import AgentStatus
import HostSystem
import Logging
import Observability
import TunnelConfiguration

/// The configuration's file and all that it leads to: read anew for a reload, and watched where that is wanted.
@AgentActor final class ConfigurationWatch {
    /// Nil when there is no configuration to read anew.
    let file: Agent.ConfigurationFile?
    /// What was read last.
    private(set) var sources: ConfigurationSources
    /// When reading it began.
    private var readAt: WatchMoment
    private var watcher: FileWatcher?
    private let logger: Logger

    init(_ file: Agent.ConfigurationFile?, logger: Logger) {
        self.file = file
        self.logger = logger
        sources = file?.sources ?? ConfigurationSources()
        readAt = file?.readAt ?? WatchMoment.now()
    }

    func wasRead(_ sources: ConfigurationSources, at moment: WatchMoment) {
        self.sources = sources
        readAt = moment
        watcher?.watch(watchedPaths, readAt: moment)
    }

    /// Begins or ends to watch.
    ///
    /// - Parameter changed: told of each burst of changes, those since the file was last read included.
    func apply(
        isWanted: Bool, in group: inout DiscardingTaskGroup, changed: @escaping @Sendable () -> Void
    ) {
        guard isWanted, file != nil else { return end() }
        guard watcher == nil else { return }
        do throws(FileWatcherError) {
            let watcher = try FileWatcher { [logger] problem in
                logger.warning(
                    "Not all changes of the configuration will be noticed: reload by SIGHUP after those",
                    metadata: [.errorMessage: "\(problem)"])
            }
            watcher.watch(watchedPaths, readAt: readAt)
            self.watcher = watcher
            group.addTask { for await _ in watcher.changes { changed() } }
        } catch {
            logger.tell(
                .error, .error, "Cannot watch the configuration", metadata: [.errorMessage: "\(error)"])
        }
    }

    func end() {
        watcher?.close()
        watcher = nil
    }

    /// All that the configuration was read from, as absolute paths.
    private var watchedPaths: [String] {
        let surroundings = ControlSocketPath.Surroundings.ofProcess()
        return (sources.files + sources.folders).map { ControlSocketPath.absolute($0, surroundings) }
    }
}
