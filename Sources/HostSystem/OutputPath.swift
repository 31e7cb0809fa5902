import Glibc
import SystemPackage

/// Looks at places that files are written to: what a name leads to may be another's choice.
package enum OutputPath {
    /// What `open` is to be told of links at the end of a path: they are followed where only root and this user can have
    /// put them.
    package static func linkFlag(for path: String) -> Int32 { isInFolderOfOthers(path) ? O_NOFOLLOW : 0 }

    /// Whether others than root and this user can put something into the folder that a path names an entry of.
    static func isInFolderOfOthers(_ path: String) -> Bool {
        let end = path.lastIndex(of: "/")
        let folder = end.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard let status = try? Stat(FilePath(folder)) else { return false }
        let isTrusted = [0, geteuid()].contains(status.userID.rawValue)
        return !isTrusted || !status.permissions.isDisjoint(with: [.groupWrite, .otherWrite])
    }

    /// Whether a path leads to one of the files.
    package static func leads(_ path: String, toOneOf files: [String]) -> Bool {
        guard let mine = FileIdentity(path: path) else { return false }
        return files.contains { FileIdentity(path: $0) == mine }
    }
}

/// The process's standard error, for what must be seen whatever becomes of the log.
package enum StandardError {
    package static func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}
