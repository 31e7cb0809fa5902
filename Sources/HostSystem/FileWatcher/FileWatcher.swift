import Glibc
import Synchronization
import SystemPackage

/// Tells when one of a set of files and folders has changed: written, replaced, deleted, made, or reached by another
/// symbolic link. Reading is no change. Bursts are told once.
///
/// A thread of its own waits for the kernel and holds the watcher until `close`.
package final class FileWatcher: Sendable {
    /// An element for each burst of changes. For one reader; ends with `close`. A burst that nobody has taken yet
    /// stands for those after it.
    package let changes: AsyncStream<Void>

    private struct State {
        var paths: Set<String> = []
        /// When the files were last read; what changed since then is told.
        var readAt: timespec?
        var isClosed = false
        var hasEnded = false
    }

    private let state = Mutex(State())
    private let continuation: AsyncStream<Void>.Continuation
    private let inotify: Inotify
    private let wakeUp: WakeUp
    private let quiet: Duration
    private let longest: Duration
    private let onProblem: @Sendable (String) -> Void

    /// Starts without anything to watch.
    ///
    /// - Parameters:
    ///   - quiet: a burst is over when nothing has changed for so long.
    ///   - longest: a burst that does not end is told after so long.
    ///   - mostFolders: how many folders are watched at most.
    ///   - onProblem: is told of what cannot be watched, once for each, on the watcher's thread.
    /// - Throws: `FileWatcherError` when the system has no watches, descriptors or threads left.
    package init(
        quiet: Duration = .milliseconds(500), longest: Duration = .seconds(5), mostFolders: Int = 1024,
        onProblem: @escaping @Sendable (String) -> Void
    ) throws(FileWatcherError) {
        self.onProblem = onProblem
        self.quiet = quiet
        self.longest = longest
        (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        do throws(Errno) {
            inotify = try Inotify()
            do throws(Errno) {
                wakeUp = try WakeUp()
            } catch {
                inotify.close()
                throw error
            }
        } catch {
            throw FileWatcherError(error)
        }
        guard SignalFreeThread(work: { self.run(mostFolders: mostFolders) }).start() else {
            inotify.close()
            wakeUp.close()
            throw FileWatcherError(.resourceTemporarilyUnavailable)
        }
    }

    /// Watches these instead of those of before.
    ///
    /// - Parameters:
    ///   - paths: absolute paths of files and folders, which need not exist. A folder stands for its entries, those
    ///     with a dot in front left out.
    ///   - readAt: when reading them began: what changed since then is told, so that nothing is missed between
    ///     reading and watching.
    package func watch(_ paths: some Sequence<String>, readAt: WatchMoment? = nil) {
        let paths = Set(paths)
        state.withLock {
            guard !$0.isClosed else { return }
            $0.paths = paths
            $0.readAt = readAt?.reading
            wakeUp.signal()
        }
    }

    /// Ends the watching and `changes`. Safe to call again.
    package func close() {
        state.withLock {
            guard !$0.isClosed else { return }
            $0.isClosed = true
            wakeUp.signal()
        }
        continuation.finish()
    }

    /// True once the thread has gone and its descriptors are closed.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    // MARK: The thread

    private func run(mostFolders: Int) {
        var watches = FolderWatches(inotify, mostFolders: mostFolders)
        var debounce = ChangeDebounce(quiet: quiet, longest: longest)
        var knownProblems: Set<String> = []
        var paths: Set<String> = []
        while true {
            wakeUp.wait(orFor: inotify.descriptor, atMost: debounce.deadline.map { $0 - .now })
            let (wanted, readAt, isClosed) = state.withLock { state in
                defer { state.readAt = nil }
                return (state.paths, state.readAt, state.isClosed)
            }
            if isClosed { break }
            var mustFollow = wanted != paths
            paths = wanted
            if watches.hasChanged() {
                debounce.changed(at: .now)
                mustFollow = true
            }
            if mustFollow || readAt != nil {
                let plan = WatchPlan(paths: paths, entry: Self.entry)
                let problems = Set(watches.follow(plan))
                for problem in problems.subtracting(knownProblems).sorted() { onProblem(problem) }
                knownProblems = problems
                // The watches stand now: what was written before them shows in the files' times.
                if let readAt, Self.hasChanged(plan, since: readAt) { debounce.changed(at: .now) }
            }
            if debounce.isDue(at: .now) { continuation.yield() }
        }
        // Under the lock, so that nobody signals through a descriptor that is closed.
        state.withLock {
            inotify.close()
            wakeUp.close()
            $0.hasEnded = true
        }
    }

    /// What stands at a path now.
    static func entry(_ path: String) -> WatchedEntry {
        switch try? Stat(FilePath(path), followTargetSymlink: false).type {
        case nil: return .missing
        case .directory: return .folder
        case .symbolicLink:
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(path, &target, target.count)
            guard count > 0 else { return .missing }
            return .link(
                target: String(decoding: target.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self))
        default: return .file
        }
    }

    private static func hasChanged(_ plan: WatchPlan, since moment: timespec) -> Bool {
        plan.folders.contains { folder, interest in
            if interest.isWhole, changeTime(folder, isAfter: moment) { return true }
            return interest.contents.contains { name in changeTime(folder + "/" + name, isAfter: moment) }
        }
    }

    /// The inode's change time: unlike the time of the last write, a rename sets it too.
    private static func changeTime(_ path: String, isAfter moment: timespec) -> Bool {
        guard let time = try? Stat(FilePath(path), followTargetSymlink: false).st_ctim else { return false }
        return (time.tv_sec, time.tv_nsec) >= (moment.tv_sec, moment.tv_nsec)
    }
}

/// A moment on the clock that files are stamped with.
package struct WatchMoment: Sendable {
    let reading: timespec

    /// The present one. Files are stamped in steps of some milliseconds, so it is a little earlier than others tell.
    package static func now() -> WatchMoment {
        var reading = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &reading)
        return WatchMoment(reading: reading)
    }
}

/// Why nothing can be watched.
package struct FileWatcherError: Error, CustomStringConvertible, Sendable {
    private let cause: Errno

    init(_ cause: Errno) { self.cause = cause }

    package var description: String {
        let advice =
            cause == .tooManyOpenFiles
            ? "raise fs.inotify.max_user_instances or the limit of open files" : "reload by SIGHUP instead"
        return "watch: cannot watch the configuration's files: \(cause) — \(advice)"
    }
}
