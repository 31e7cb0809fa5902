import Glibc
import HostSystem
import NIOCore
package import NIOPosix
import Synchronization

/// The room in files that all sessions of the process share, for messages of protocol v1 that would hold up others.
package final class SpillSpace: Sendable {
    /// In the folder that `TMPDIR` names, or else /tmp.
    package static let ofProcess = SpillSpace(
        folder: getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")

    private struct State {
        var bytesLeft: Int
        var filesLeft: Int
        var warning = RepeatedWarning()
    }

    let folder: String
    private let bytes: Int
    let pool: NIOThreadPool
    private let state: Mutex<State>

    /// - Parameters:
    ///   - bytes: of all files together.
    ///   - files: open at a time; each is a descriptor.
    package init(
        folder: String, bytes: Int = 1 << 30, files: Int = 128, pool: NIOThreadPool = .singleton
    ) {
        self.folder = folder
        self.bytes = bytes
        self.pool = pool
        state = Mutex(State(bytesLeft: bytes, filesLeft: files))
    }

    /// What is taken, in bytes.
    package var usedBytes: Int { state.withLock { bytes - $0.bytesLeft } }

    func take(_ bytes: Int) -> Bool {
        state.withLock { state in
            guard state.bytesLeft >= bytes else { return false }
            state.bytesLeft -= bytes
            return true
        }
    }

    func giveBack(_ bytes: Int) { state.withLock { $0.bytesLeft += bytes } }

    func closed() { state.withLock { $0.filesLeft += 1 } }

    /// Makes a file. Blocks.
    ///
    /// - Throws: what the system says, or that there are enough.
    func makeFile() throws(IOError) -> SpillFile {
        let isFree = state.withLock { state in
            guard state.filesLeft > 0 else { return false }
            state.filesLeft -= 1
            return true
        }
        guard isFree else { throw IOError(errnoCode: EMFILE, reason: "too many such files") }
        do {
            return try SpillFile(in: self)
        } catch {
            closed()
            throw error
        }
    }

    /// Whether a failure is to be told: once a minute.
    func mayTell(now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { $0.warning.happened(now: now) != nil }
    }
}
