import Glibc
import NIOCore

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

    private let descriptor: CInt
    /// In bytes, when it was opened.
    let size: Int
    /// When its content changed, since 1970.
    let modifiedSeconds: Int
    let modifiedNanoseconds: Int

    private init(descriptor: CInt, status: stat) {
        self.descriptor = descriptor
        self.size = Int(status.st_size)
        self.modifiedSeconds = status.st_mtim.tv_sec
        self.modifiedNanoseconds = status.st_mtim.tv_nsec
    }

    deinit { close(descriptor) }

    /// Reads at most `count` bytes from a position; fewer at the end of the file. Blocks.
    func read(at position: Int, count: Int) throws(Failure) -> ByteBuffer {
        var buffer = ByteBuffer()
        var code: CInt = 0
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
            let length = pread(descriptor, memory.baseAddress, count, position)
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
        let root = try Descriptor(opening: folder, flags: Descriptor.withoutAccess | O_DIRECTORY)
        let entry = try Descriptor(
            opening: path.isEmpty ? "." : path, flags: Descriptor.withoutAccess, in: root)
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
        let readable = try Descriptor(opening: entry.link, flags: O_RDONLY | O_NONBLOCK)
        let current = try readable.status()
        return .file(OpenFile(descriptor: readable.release(), status: current))
    }
}

extension OpenFile {
    /// Whether a path leads over a name that is not served, as a link may that has another.
    private static func isHidden(_ path: ArraySlice<UInt8>) -> Bool {
        path.split(separator: UInt8(ascii: "/")).contains { FolderPath.isHidden($0) }
    }
}

/// A descriptor that closes itself.
private struct Descriptor: ~Copyable {
    /// `O_PATH` of Linux, which Swift's Glibc does not show: a place in the file system, nothing to read.
    static let withoutAccess: CInt = 0o10_000_000

    private let number: CInt

    init(opening path: String, flags: CInt) throws(OpenFile.Failure) {
        self.number = Glibc.open(path, flags | O_CLOEXEC)
        guard number >= 0 else { throw OpenFile.Failure(errno: errno) }
    }

    init(opening path: String, flags: CInt, in folder: borrowing Descriptor) throws(OpenFile.Failure) {
        self.number = openat(folder.number, path, flags | O_CLOEXEC)
        guard number >= 0 else { throw OpenFile.Failure(errno: errno) }
    }

    deinit {
        if number >= 0 { close(number) }
    }

    /// The kernel's own name of what is open.
    var link: String { "/proc/self/fd/\(number)" }

    func status() throws(OpenFile.Failure) -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else { throw OpenFile.Failure(errno: errno) }
        return status
    }

    /// The path without links at which the open file lies, as bytes: names need not be UTF-8.
    func location() throws(OpenFile.Failure) -> [UInt8] {
        var memory = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(link, &memory, memory.count)
        guard length >= 0 else { throw OpenFile.Failure(errno: errno) }
        // What fills the memory may have been cut: it could lie anywhere.
        guard length < memory.count else { throw .notFound }
        return memory.prefix(length).map(UInt8.init(bitPattern:))
    }

    /// Hands the descriptor over.
    consuming func release() -> CInt {
        let number = number
        discard self
        return number
    }
}

extension OpenFile.Failure {
    fileprivate init(errno code: CInt) {
        switch code {
        case ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EINVAL: self = .notFound
        case EACCES, EPERM: self = .forbidden
        default: self = .system(code)
        }
    }
}
