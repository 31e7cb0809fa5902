import HostSystem
import Logging
import Observability
import Reconciliation
import TunnelConfiguration

/// Changes of files that ask for a reload by themselves, and the service manager's watchdog.
extension Supervisor {
    /// Begins or ends to watch, as the plan says.
    func commitWatch(_ plan: ReloadPlan, in group: inout DiscardingTaskGroup) {
        if !plan.result.watch {
            watcher?.close()
            watcher = nil
        } else if watcher == nil, file != nil {
            do throws(FileWatcherError) {
                let watcher = try FileWatcher { [logger] problem in
                    logger.warning(
                        "Not all changes of the configuration will be noticed: reload by SIGHUP after those",
                        metadata: [.errorMessage: "\(problem)"])
                }
                // What changed since the file was read is told as well.
                watcher.watch(watchedPaths, readAt: sourcesReadAt)
                self.watcher = watcher
                let mailbox = mailbox
                group.addTask {
                    for await _ in watcher.changes { mailbox.yield(.reloadRequested(ReloadRequest(.watch))) }
                }
            } catch {
                logger.error("Cannot watch the configuration", metadata: [.errorMessage: "\(error)"])
            }
        }
    }

    /// All that the configuration was read from, as absolute paths.
    var watchedPaths: [String] {
        let surroundings = ControlSocketPath.Surroundings.ofProcess()
        return (sources.files + sources.folders).map { ControlSocketPath.absolute($0, surroundings) }
    }

    /// Gives the service manager signs of life for as long as events are obeyed.
    func keepWatchdogQuiet() async {
        await notifier.keepWatchdogQuiet { await self.showLife() }
    }

    private func showLife() {}

    /// Looks now and then whether the allocator keeps what others need.
    func returnUnusedMemory() async {
        SpareMemory.keepFreed()
        var memory = SpareMemory()
        while (try? await Task.sleep(for: SpareMemory.interval)) != nil {
            let before = memory
            // Off the threads of tasks, and on one that is there.
            memory = await means.reloads.run { before.looked() } ?? memory
        }
    }
}
