/// What a name in a folder stands for.
enum WatchedEntry: Equatable {
    /// A symbolic link, and where it points.
    case link(target: String)
    case folder
    /// A file, or anything else that is neither link nor folder.
    case file
    case missing
}

/// Which folders to watch for changes of a set of paths, and for which of their entries.
///
/// Each step of a path counts: `/etc/app/x.yaml` changes with `x.yaml` in `/etc/app`, with `app` in `/etc` and with
/// `etc` in `/`, and where a step is a symbolic link, also with each step of its target. So swapped links (Kubernetes'
/// `..data`) and replaced folders are noticed.
struct WatchPlan: Equatable {
    /// What matters in one folder.
    struct Interest: Equatable {
        /// Entries that may come, go, or be written.
        var contents: Set<String> = []
        /// Entries that may come or go: folders on the way.
        var steps: Set<String> = []
        /// True when every visible entry that comes or goes matters: the folder itself was asked for.
        var isWhole = false

        /// True when a change of an entry is one of what is watched.
        ///
        /// - Parameter isWrite: the entry stayed where it is and changed within.
        func covers(_ name: String, isWrite: Bool) -> Bool {
            if contents.contains(name) { return true }
            return !isWrite && (steps.contains(name) || (isWhole && !name.hasPrefix(".")))
        }

        /// Folders on the way only: no need to hear of every write there.
        var isStepOnly: Bool { contents.isEmpty && !isWhole }
    }

    /// By the folder's path, which has no links in it.
    private(set) var folders: [String: Interest] = [:]
    /// Paths whose links go round.
    private(set) var loops: [String] = []

    /// - Parameters:
    ///   - paths: absolute. A folder among them stands for the coming and going of its visible entries; of what is
    ///     written there only files hear that are named themselves: a log in that folder is no change.
    ///   - entry: what stands at a path now.
    init(paths: some Sequence<String>, entry: (_ path: String) -> WatchedEntry) {
        for path in paths where !follow(path, entry) { loops.append(path) }
    }

    /// As many links as the kernel follows.
    private static let mostLinks = 40

    private mutating func follow(_ path: String, _ entry: (String) -> WatchedEntry) -> Bool {
        var rest = Self.components(path)
        var folder: [Substring] = []
        var links = 0
        while let name = rest.popLast() {
            if name == ".." {
                folder = folder.dropLast()
                continue
            }
            let place = Self.path(folder)
            switch entry(Self.path(folder + [name])) {
            case .link(let target):
                folders[place, default: Interest()].contents.insert(String(name))
                links += 1
                guard links <= Self.mostLinks else { return false }
                if target.hasPrefix("/") { folder = [] }
                rest += Self.components(target)
            case .folder:
                folders[place, default: Interest()].steps.insert(String(name))
                folder.append(name)
                if rest.isEmpty { folders[Self.path(folder), default: Interest()].isWhole = true }
            case .file, .missing:
                folders[place, default: Interest()].contents.insert(String(name))
                return true
            }
        }
        return true
    }

    /// The last one first.
    private static func components(_ path: String) -> [Substring] {
        path.split(separator: "/").filter { $0 != "." }.reversed()
    }

    private static func path(_ components: [Substring]) -> String { "/" + components.joined(separator: "/") }
}
