import Glibc
import HostSystem
import NIOCore
import Synchronization
import SystemPackage

/// A file without a name, gone with its last reference in every path, a crash included. What its owner calls blocks.
final class SpillFile: Sendable {
    /// `O_TMPFILE` of Linux, which Swift's Glibc does not show: a file that never had a name.
    private static let withoutName: CInt = 0o20_000_000 | O_DIRECTORY

    private let descriptor: OwnedDescriptor
    private let space: SpillSpace
    /// How far it has grown, in bytes of the space that all share.
    private let extent = Atomic<Int>(0)

    /// - Throws: what the system says.
    init(in space: SpillSpace) throws(IOError) {
        self.space = space
        do throws(Errno) {
            descriptor = try Self.open(in: space.folder)
        } catch {
            throw IOError(errnoCode: error.rawValue, reason: "open")
        }
    }

    deinit {
        space.giveBack(extent.load(ordering: .relaxed))
        space.closed()
    }

    private static func open(in folder: String) throws(Errno) -> OwnedDescriptor {
        do throws(Errno) {
            return try OwnedDescriptor(Glibc.open(folder, withoutName | O_RDWR | O_CLOEXEC, 0o600))
        } catch {
            let isUnsupported = [EOPNOTSUPP, EISDIR, EINVAL].contains(error.rawValue)
            guard isUnsupported else { throw error }
        }
        let name = folder + "/wstunnel-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
        let named = try OwnedDescriptor(
            Glibc.open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600))
        unlink(name)
        return named
    }

    /// Asks for room up to this offset.
    ///
    /// - Returns: false when the process has used up its share.
    func grow(to end: Int) -> Bool {
        let before = extent.load(ordering: .relaxed)
        guard end > before else { return true }
        guard space.take(end - before) else { return false }
        extent.store(end, ordering: .relaxed)
        return true
    }

    func write(_ bytes: ByteBuffer, at offset: Int) throws(IOError) {
        var rest = bytes.readableBytesView[...]
        var offset = offset
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { pwrite(descriptor.number, $0.baseAddress, $0.count, offset) }
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                throw IOError(errnoCode: count < 0 ? errno : ENOSPC, reason: "write")
            }
            rest = rest.dropFirst(count)
            offset += count
        }
    }

    /// Reads exactly so many bytes.
    func read(_ count: Int, at offset: Int) throws(IOError) -> ByteBuffer {
        var bytes = ByteBuffer()
        var code: CInt = 0
        while bytes.readableBytes < count, code == 0 {
            let got = bytes.readableBytes
            bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count - got) { memory in
                let length = pread(descriptor.number, memory.baseAddress, count - got, offset + got)
                if length < 0, errno != EINTR { code = errno }
                if length == 0 { code = EIO }
                return max(0, length)
            }
        }
        guard code == 0 else { throw IOError(errnoCode: code, reason: "read") }
        return bytes
    }
}
