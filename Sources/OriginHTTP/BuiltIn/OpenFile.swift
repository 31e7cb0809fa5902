import Glibc
import HostSystem
import NIOCore
import SystemPackage

/// An open file and its one owner: the descriptor is closed with the last reference, in every path.
final class OpenFile: Sendable {
    enum Failure: Error, Equatable {
        /// Nothing there, not a file, or outside the folder: 404.
        case notFound
        /// There, but not for us: 403.
        case forbidden
        /// Anything else, with the system's number.
        case system(CInt)
    }

    enum Found: Sendable {
        case file(OpenFile)
        case folder
    }

    /// `O_PATH` of Linux, which Swift's Glibc does not show: a place in the file system, nothing to read.
    private static let withoutAccess: CInt = 0o10_000_000

    private let descriptor: OwnedDescriptor
    /// In bytes, when it was opened.
    let size: Int
    /// When its content changed, since 1970.
    let modifiedSeconds: Int
    let modifiedNanoseconds: Int

    private init(_ descriptor: consuming OwnedDescriptor) throws(Failure) {
        let status = try descriptor.status()
        self.descriptor = descriptor
        self.size = Int(status.st_size)
        self.modifiedSeconds = status.st_mtim.tv_sec
        self.modifiedNanoseconds = status.st_mtim.tv_nsec
    }

    /// Reads at most `count` bytes from a position; fewer at the end of the file. Blocks.
    func read(at position: Int, count: Int) throws(Failure) -> ByteBuffer {
        var buffer = ByteBuffer()
        var code: CInt = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
            let length = pread(descriptor.number, memory.baseAddress, count, position)
            if length < 0 { code = errno }
            return max(0, length)
        }
        guard code == 0 else { throw .system(code) }
        return buffer
    }

    /// Opens what a path names, following links as long as they stay in the folder. Blocks.
    ///
    /// It is opened without access first (`O_PATH`), so that nothing outside is touched; where it lies is
    /// asked of the kernel, for that very descriptor; only then it is opened for reading.
    ///
    /// - Parameter servesHidden: whether it may lie under a hidden name.
    static func open(_ path: String, in folder: String, servesHidden: Bool) throws(Failure) -> Found {
        let root = try OwnedDescriptor.open(folder, withoutAccess | O_DIRECTORY)
        let entry = try root.open(path.isEmpty ? "." : path, withoutAccess)
        let rootLocation = try root.location()
        let location = try entry.location()
        let prefix = rootLocation == Array("/".utf8) ? rootLocation : rootLocation + Array("/".utf8)
        guard location == rootLocation || location.starts(with: prefix),
            servesHidden || !isHidden(location.dropFirst(prefix.count))
        else { throw .notFound }
        let status = try entry.status()
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .folder
        case S_IFREG: break
        default: throw .notFound
        }
        return .file(try OpenFile(entry.reopened(O_RDONLY | O_NONBLOCK)))
    }
}

extension OpenFile {
    /// Whether a path leads over a name that is not served, as a link may that has another.
    private static func isHidden(_ path: ArraySlice<UInt8>) -> Bool {
        path.split(separator: UInt8(ascii: "/")).contains { FolderPath.isHidden($0) }
    }
}

extension OwnedDescriptor {
    fileprivate static func open(_ path: String, _ flags: CInt) throws(OpenFile.Failure) -> OwnedDescriptor {
        try open(path, flags, in: AT_FDCWD)
    }

    private static func open(
        _ path: String, _ flags: CInt, in folder: CInt
    ) throws(OpenFile.Failure) -> OwnedDescriptor {
        do throws(Errno) {
            return try OwnedDescriptor(openat(folder, path, flags | O_CLOEXEC))
        } catch {
            throw OpenFile.Failure(error)
        }
    }

    /// Opens what a path names, from this folder.
    fileprivate func open(_ path: String, _ flags: CInt) throws(OpenFile.Failure) -> OwnedDescriptor {
        try Self.open(path, flags, in: number)
    }

    /// Opens the same once more.
    fileprivate func reopened(_ flags: CInt) throws(OpenFile.Failure) -> OwnedDescriptor {
        try Self.open(link, flags)
    }

    /// The kernel's own name of what is open.
    private var link: String { "/proc/self/fd/\(number)" }

    fileprivate func status() throws(OpenFile.Failure) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw OpenFile.Failure(.latest) }
        return status
    }

    /// The path without links at which the open file lies, as bytes: names need not be UTF-8.
    fileprivate func location() throws(OpenFile.Failure) -> [UInt8] {
        var memory = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(link, &memory, memory.count)
        guard length >= 0 else { throw OpenFile.Failure(.latest) }
        // What fills the memory may have been cut: it could lie anywhere.
        guard length < memory.count else { throw .notFound }
        return memory.prefix(length).map(UInt8.init(bitPattern:))
    }
}

extension OpenFile.Failure {
    fileprivate init(_ error: Errno) {
        switch error.rawValue {
        case ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EINVAL: self = .notFound
        case EACCES, EPERM: self = .forbidden
        default: self = .system(error.rawValue)
        }
    }
}
