import Glibc
import SystemPackage

/// Where an agent's control socket is when the configuration names none: in a folder of the user's, under a name that
/// follows from the configuration file's path. So `wstunnel status --config F` finds the agent without port or token.
///
/// | the agent | its folder |
/// |---|---|
/// | started by systemd with `RuntimeDirectory=` | `$RUNTIME_DIRECTORY`, usually `/run/wstunnel` |
/// | of root | `/run/wstunnel` |
/// | of a user with `$XDG_RUNTIME_DIR` | `$XDG_RUNTIME_DIR/wstunnel` |
/// | of any other user | `/tmp/wstunnel-UID` |
///
/// A command knows its own environment, not the agent's: it looks into each folder that is possible.
package struct ControlSocketPath: Sendable, Hashable {
    /// How far the folder is trusted.
    package enum Folder: Sendable, Hashable {
        /// The service manager's, or the system's: others may look in, but not write.
        case system
        /// The user's own: made where it is missing, and closed to others.
        case own
    }

    /// The socket's path.
    package var path: String
    /// The folder that it is in.
    package var folder: String
    /// What must be true of that folder.
    package var kind: Folder

    /// What a user's environment says.
    package struct Surroundings: Sendable {
        package var userID: UInt32
        package var runtimeDirectory: String?
        package var userRuntimeDirectory: String?
        /// The working folder, for a relative path.
        package var workingFolder: String

        package init(
            userID: UInt32, runtimeDirectory: String? = nil, userRuntimeDirectory: String? = nil,
            workingFolder: String = "/"
        ) {
            self.userID = userID
            self.runtimeDirectory = runtimeDirectory
            self.userRuntimeDirectory = userRuntimeDirectory
            self.workingFolder = workingFolder
        }

        /// Those of this process.
        package static func ofProcess() -> Surroundings {
            let variable = { (name: String) -> String? in
                getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
            }
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let workingFolder = getcwd(&buffer, buffer.count).map { String(cString: $0) }
            return Surroundings(
                userID: geteuid(),
                runtimeDirectory: variable("RUNTIME_DIRECTORY")
                    .flatMap { $0.split(separator: ":").first.map(String.init) },
                userRuntimeDirectory: variable("XDG_RUNTIME_DIR"), workingFolder: workingFolder ?? "/")
        }
    }

    /// Where an agent puts its socket.
    ///
    /// - Parameter configuration: the configuration file's path as the agent was given it. Links on the way are not
    ///   followed: the agent must be found after they were pointed elsewhere, too.
    package static func `default`(
        forConfiguration configuration: String, _ surroundings: Surroundings
    ) -> ControlSocketPath {
        let name = fileName(forConfiguration: absolute(configuration, surroundings))
        return folders(surroundings)[0].socket(named: name)
    }

    /// Where a command looks for the agent, the likeliest place first.
    ///
    /// - Parameters:
    ///   - configuration: the configuration file's path as the command was given it.
    ///   - resolve: a folder's path without symbolic links, or nil: a relative path of the command is without them,
    ///     one of the agent need not be.
    package static func candidates(
        forConfiguration configuration: String, _ surroundings: Surroundings,
        resolve: (_ folder: String) -> String? = realPath(ofFolder:)
    ) -> [ControlSocketPath] {
        let path = absolute(configuration, surroundings)
        var names = [fileName(forConfiguration: path)]
        let parts = path.split(separator: "/")
        if let base = parts.last,
            let folder = resolve("/" + parts.dropLast().joined(separator: "/"))
        {
            let resolved = fileName(forConfiguration: absolute("\(folder)/\(base)", surroundings))
            if resolved != names[0] { names.append(resolved) }
        }
        return folders(surroundings).flatMap { folder in names.map { folder.socket(named: $0) } }
    }

    // MARK: Folders

    private struct Place: Equatable {
        var path: String
        var kind: Folder

        func socket(named name: String) -> ControlSocketPath {
            ControlSocketPath(path: path + "/" + name, folder: path, kind: kind)
        }
    }

    /// Never empty.
    private static func folders(_ surroundings: Surroundings) -> [Place] {
        var places: [Place] = []
        if let folder = surroundings.runtimeDirectory { places.append(Place(path: folder, kind: .system)) }
        let shared = Place(path: "/run/wstunnel", kind: .system)
        if surroundings.userID == 0 {
            places.append(shared)
        } else {
            if let folder = surroundings.userRuntimeDirectory {
                places.append(Place(path: folder + "/wstunnel", kind: .own))
            }
            places.append(Place(path: "/tmp/wstunnel-\(surroundings.userID)", kind: .own))
            // A service of this user that systemd has started.
            places.append(shared)
        }
        return places.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    // MARK: Names

    /// `tunnels-0123456789abcdef.sock`: something to read, and the hash of the whole path.
    static func fileName(forConfiguration path: String) -> String {
        let base = path.split(separator: "/").last.map(String.init) ?? ""
        let stem = base.split(separator: ".").first ?? ""
        let readable = stem.utf8.filter { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        let prefix = readable.isEmpty ? "agent" : String(decoding: readable.prefix(24), as: UTF8.self)
        let digits = String(hash(of: path), radix: 16)
        return prefix + "-" + String(repeating: "0", count: 16 - digits.count) + digits + ".sock"
    }

    /// FNV-1a, 64 bits: the same in every version of the program.
    static func hash(of text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }

    /// The path from the root, without `.`, `..` and doubled slashes.
    package static func absolute(_ path: String, _ surroundings: Surroundings) -> String {
        let whole = path.hasPrefix("/") ? path : surroundings.workingFolder + "/" + path
        var parts: [Substring] = []
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { parts = parts.dropLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// A folder's path without symbolic links; nil when it is not there.
    package static func realPath(ofFolder folder: String) -> String? {
        guard let resolved = realpath(folder, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

// MARK: - The folder on disk

extension ControlSocketPath {
    /// Makes the folder where it is missing, with mode 0700, and looks whether others can meddle there.
    ///
    /// - Throws: `ControlSocketError` when it cannot be made, or belongs to or is open to somebody else.
    package func prepareFolder() throws(ControlSocketError) {
        if mkdir(folder, 0o700) != 0, errno != EEXIST {
            throw ControlSocketError(path: folder, reason: .system("make the folder", .latest))
        }
        try checkFolder()
    }

    /// The same for who asks an agent. Root asks services that run as other users, too: a folder of theirs that nobody but
    /// root can have put there is theirs by right, such as `/run/wstunnel`.
    ///
    /// - Throws: `ControlSocketError` when it is not there, or can be somebody else's.
    package func checkFolderToAsk() throws(ControlSocketError) {
        do throws(ControlSocketError) {
            try checkFolder()
        } catch {
            guard case .folderOfAnother = error.reason, kind == .system, geteuid() == 0, isInFolderOfRoot
            else { throw error }
        }
    }

    private var isInFolderOfRoot: Bool {
        let parent = folder.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        guard let status = try? Stat(FilePath(parent.isEmpty ? "/" : parent)) else { return false }
        return status.userID.rawValue == 0
            && status.permissions.isDisjoint(with: [.groupWrite, .otherWrite])
    }

    /// Looks whether the folder can be trusted: one that somebody else has put there can hold a socket that lies.
    ///
    /// - Throws: `ControlSocketError` when it is not there, or belongs to or is open to somebody else.
    package func checkFolder() throws(ControlSocketError) {
        // A link is refused only where others may make one; the service manager's folder may be one.
        let follow = kind == .own ? O_NOFOLLOW : 0
        let status: Stat
        do throws(Errno) {
            let file = try OwnedDescriptor(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow))
            status = try Stat(FileDescriptor(rawValue: file.number))
        } catch {
            let isNone = error == .tooManySymbolicLinkLevels || error == .notDirectory
            throw ControlSocketError(
                path: folder, reason: isNone ? .folderIsNone : .system("open the folder", error))
        }
        let owner = status.userID.rawValue
        guard owner == geteuid() || (kind == .system && owner == 0) else {
            throw ControlSocketError(path: folder, reason: .folderOfAnother(userID: owner))
        }
        let forbidden: FilePermissions =
            kind == .own
            ? [.groupReadWriteExecute, .otherReadWriteExecute] : [.groupWrite, .otherWrite]
        guard status.permissions.isDisjoint(with: forbidden) else {
            throw ControlSocketError(path: folder, reason: .folderOpenToOthers)
        }
    }
}
