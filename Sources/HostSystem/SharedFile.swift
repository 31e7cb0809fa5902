import Glibc
package import SystemPackage

/// A small file that several processes of ours change, one after another. It is put in place whole, by a rename, so that
/// whoever reads it, at whatever moment a machine fails, finds one state or the next. Waits for disks: not for event loops.
package struct SharedFile: Sendable {
    /// Longest file that is read, in bytes.
    static let mostBytes = 64 << 20
    /// How often a lock is asked for that another process has, and what lies between.
    private static let tries = 40
    private static let pauseMicroseconds: useconds_t = 50_000

    package let path: String

    package init(path: String) { self.path = path }

    /// Where it lies: what links lead to is put in place, not the link.
    private var place: String {
        guard OutputPath.linkFlag(for: path) == 0, let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// What the file holds; nothing where there is none. Also tells, as far as that can be known, whether it could be
    /// changed.
    package func look() throws(SharedFileError) -> [UInt8] {
        do throws(Errno) {
            let place = place
            let folder = FilePath(place).removingLastComponent()
            guard access(folder.isEmpty ? "." : folder.string, W_OK | X_OK) == 0 else { throw .latest }
            return try Self.content(of: try OwnedDescriptor(open(place, O_RDONLY | O_CLOEXEC | O_NONBLOCK)))
        } catch .noSuchFileOrDirectory {
            return []
        } catch {
            throw SharedFileError(path: path, failure: error)
        }
    }

    /// Puts something else in its place, while nobody else does.
    ///
    /// - Parameter change: what becomes of what it holds; nothing is written where that throws.
    package func change<Failure: Error>(
        _ change: ([UInt8]) throws(Failure) -> [UInt8]
    ) throws -> [UInt8] {
        let lock = try locked()
        let content: [UInt8]
        do throws(Errno) {
            content = try Self.content(of: lock)
        } catch {
            throw SharedFileError(path: path, failure: error)
        }
        let changed = try change(content)
        try replace(place, by: changed)
        return changed
    }

    /// The file, locked, and still at its path.
    private func locked() throws(SharedFileError) -> OwnedDescriptor {
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | OutputPath.linkFlag(for: path)
        for _ in 0..<Self.tries {
            let file: OwnedDescriptor
            do throws(Errno) {
                file = try OwnedDescriptor(open(path, flags, 0o600))
            } catch {
                throw SharedFileError(path: path, failure: error)
            }
            // Where there are no locks, there is none.
            if flock(file.number, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
                usleep(Self.pauseMicroseconds)
            } else if let identity = FileIdentity(descriptor: file.number),
                identity == FileIdentity(path: path)
            {
                return file
            }
        }
        throw SharedFileError(path: path, failure: .wouldBlock)
    }

    private static func content(of file: borrowing OwnedDescriptor) throws(Errno) -> [UInt8] {
        var content: [UInt8] = []
        while let bytes = try file.read(), !bytes.isEmpty {
            content += bytes
            guard content.count <= mostBytes else { throw .fileTooLarge }
        }
        return content
    }

    private func replace(_ place: String, by content: [UInt8]) throws(SharedFileError) {
        let newPlace = "\(place).new"
        do throws(Errno) {
            // One that is there already was left by an agent that was killed, or put there by somebody: nothing of it is kept.
            unlink(newPlace)
            let file = try OwnedDescriptor(open(newPlace, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
            var rest = content[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(file.number, $0.baseAddress, $0.count) }
                guard count > 0 || errno == EINTR else { throw .latest }
                rest = rest.dropFirst(max(0, count))
            }
            guard fsync(file.number) == 0, rename(newPlace, place) == 0 else { throw .latest }
        } catch {
            unlink(newPlace)
            throw SharedFileError(path: path, failure: error)
        }
    }
}

/// Why it cannot be read or changed.
package struct SharedFileError: Error, CustomStringConvertible {
    let path: String
    package let failure: Errno

    package var description: String {
        switch failure {
        case .wouldBlock: "\(path) is locked by another process, which does not let go of it"
        case .fileTooLarge: "\(path) has more than \(SharedFile.mostBytes >> 20) MiB"
        case .noSpace: "cannot write \(path): \(failure)"
        case .tooManySymbolicLinkLevels:
            "\(path) is a link, and others can write to its folder — name the file itself"
        default: "cannot write \(path): \(failure) — check that its folder exists and is writable"
        }
    }
}
