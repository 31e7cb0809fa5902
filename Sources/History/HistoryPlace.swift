internal import Glibc
internal import HostSystem
internal import SystemPackage

/// Where a history is to be kept.
package enum HistoryPlace {
    /// Why nothing could be written there as things are, with advice; nil where nothing is seen to stand against it.
    ///
    /// Changes nothing, and opens nothing: a file that is closed again would take along the locks that SQLite has on it.
    package static func obstacle(at path: String) -> String? {
        let followsLinks = OutputPath.linkFlag(for: path) == 0
        let entry = try? Stat(FilePath(path), followTargetSymlink: followsLinks)
        if let fault = entry.flatMap({ fault(of: $0, path) }) { return fault.description }
        if entry != nil, access(path, R_OK | W_OK) != 0 {
            return "cannot write \(path): \(Errno.latest) — check its owner and file system"
        }
        let folder = FilePath(path).removingLastComponent()
        // SQLite has files of its own beside it.
        guard access(folder.isEmpty ? "." : folder.string, W_OK | X_OK) != 0 else { return nil }
        return "cannot write \(path): \(Errno.latest) — check that its folder exists and is writable"
    }

    /// A pipe would be waited for, and a device is nobody's history.
    ///
    /// - Parameter entry: what stands at the path, not followed where links are not.
    static func fault(of entry: Stat, _ path: String) -> HistoryFault? {
        guard entry.type != .regular else { return nil }
        return entry.type == .symbolicLink
            ? HistoryFault(
                .other, "\(path) is a link, and others can write to its folder — name the file itself")
            : .foreign(path)
    }
}
