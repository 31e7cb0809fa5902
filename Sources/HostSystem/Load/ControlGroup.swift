import Glibc

/// The limit on the memory of the control group that the process is in.
package enum ControlGroup {
    private static let root = "/sys/fs/cgroup"
    /// From here on a number stands for none: version 1 writes the largest that its counter holds.
    private static let unlimited = 1 << 60

    /// The least limit of the group and those above it, in bytes; nil where none is set, or the system does not tell.
    package static var memoryLimit: Int? {
        memoryLimit(groups: text(of: "/proc/self/cgroup") ?? "", text(of:))
    }

    /// - Parameters:
    ///   - groups: a line for each hierarchy: `0::/path` of version 2, `4:memory:/path` of version 1 (cgroups(7)).
    ///   - read: the text of a file; nil where there is none. A container may see its group in place of the root, though
    ///     its path is told as it is outside: what is not there is passed over.
    static func memoryLimit(groups: String, _ read: (String) -> String?) -> Int? {
        var limits: [Int] = []
        for line in groups.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            let files: [String]
            let mount: String
            if parts[0] == "0", parts[1].isEmpty {
                (mount, files) = (root, ["memory.max", "memory.high"])
            } else if parts[1].split(separator: ",").contains("memory") {
                (mount, files) = ("\(root)/memory", ["memory.limit_in_bytes"])
            } else {
                continue
            }
            var path = parts[2]
            while true {
                let folder = path == "/" ? mount : mount + path
                limits += files.compactMap { read("\(folder)/\($0)").flatMap(limit) }
                guard let slash = path.lastIndex(of: "/"), path != "/" else { break }
                path = slash == path.startIndex ? "/" : path[..<slash]
            }
        }
        return limits.min()
    }

    private static func limit(_ text: String) -> Int? {
        guard let number = Int(text.prefix { $0 != "\n" }), (1..<unlimited).contains(number) else {
            return nil
        }
        return number
    }

    private static func text(of path: String) -> String? {
        guard let file = try? OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC)), let bytes = try? file.read()
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
