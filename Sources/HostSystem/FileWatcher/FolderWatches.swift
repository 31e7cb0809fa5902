import SystemPackage

/// The watches that stand, kept in step with a plan. For the watcher's thread alone.
struct FolderWatches {
    private let inotify: Inotify
    private var interests: [Int32: WatchPlan.Interest] = [:]
    private let mostFolders: Int

    init(_ inotify: Inotify, mostFolders: Int) {
        self.inotify = inotify
        self.mostFolders = mostFolders
    }

    /// Watches what a plan wants, and nothing else.
    ///
    /// - Returns: what cannot be watched, in words.
    mutating func follow(_ plan: WatchPlan) -> [String] {
        var problems = plan.loops.map { "the symbolic links of \($0) go round" }
        var fresh: [Int32: WatchPlan.Interest] = [:]
        // Folders with what matters first: where the limit cuts, it cuts the folders on the way.
        let folders = plan.folders.sorted {
            ($0.value.isStepOnly ? 1 : 0, $0.key) < ($1.value.isStepOnly ? 1 : 0, $1.key)
        }
        if folders.count > mostFolders {
            problems.append(
                "\(folders.count) folders are on the way, of which only \(mostFolders) are watched")
        }
        for (folder, interest) in folders.prefix(mostFolders) {
            do throws(Errno) {
                // A folder that bears the name of another one of before gets a watch of its own.
                let watch = try inotify.add(folder, hearsWrites: !interest.contents.isEmpty)
                fresh[watch] = interest.union(fresh[watch])
            } catch {
                // It went a moment ago, and the folder above tells when it is back.
                if error == .noSuchFileOrDirectory || error == .notDirectory { continue }
                // Nothing of ours comes or goes in a folder that is closed to us.
                if interest.isStepOnly, error == .permissionDenied { continue }
                problems.append(
                    error == .noSpace
                        ? "\(folder): the system's limit fs.inotify.max_user_watches is reached — raise it"
                        : "\(folder): \(error)")
            }
        }
        for watch in interests.keys where fresh[watch] == nil { inotify.remove(watch) }
        interests = fresh
        return problems
    }

    /// Takes the events that wait.
    ///
    /// - Returns: true when one is a change of what is watched.
    func hasChanged() -> Bool {
        var hasChanged = false
        while true {
            let events = inotify.read()
            if events.isEmpty { return hasChanged }
            hasChanged = hasChanged || events.contains(where: isChange)
        }
    }

    private func isChange(_ event: Inotify.Event) -> Bool {
        if event.isOverflow { return true }
        guard let interest = interests[event.watch] else { return false }
        return event.isAboutFolder || interest.covers(event.name, isWrite: event.isWrite)
    }
}

extension WatchPlan.Interest {
    /// Both; two paths can lead to the same folder where it is mounted twice.
    fileprivate func union(_ other: Self?) -> Self {
        guard let other else { return self }
        return Self(
            contents: contents.union(other.contents), steps: steps.union(other.steps),
            isWhole: isWhole || other.isWhole)
    }
}
