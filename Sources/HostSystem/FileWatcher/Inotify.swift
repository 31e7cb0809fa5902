import Glibc
import SystemPackage

/// The kernel's watches on folders (inotify(7)).
struct Inotify: Sendable {
    /// One thing that happened in, or to, a watched folder.
    struct Event: Equatable {
        var watch: Int32
        var mask: UInt32
        /// The entry's name; empty when it is about the folder itself.
        var name: String

        /// Events were lost: anything may have changed.
        var isOverflow: Bool { mask & UInt32(IN_Q_OVERFLOW) != 0 }
        /// The entry was there before and still is.
        var isWrite: Bool { mask & UInt32(IN_MODIFY | IN_ATTRIB) != 0 }
        /// The folder itself was moved or deleted.
        var isAboutFolder: Bool { mask & UInt32(IN_MOVE_SELF | IN_DELETE_SELF) != 0 }
    }

    /// Readable while events wait.
    let descriptor: Int32

    /// - Throws: the `errno` when the system has no more of them for this user.
    init() throws(Errno) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { throw .latest }
    }

    /// Watches a folder, or changes what is watched there.
    ///
    /// - Parameter hearsWrites: false when only entries that come and go matter. Reading never does.
    func add(_ folder: String, hearsWrites: Bool) throws(Errno) -> Int32 {
        var mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
        if hearsWrites { mask |= IN_MODIFY | IN_ATTRIB }
        let watch = inotify_add_watch(
            descriptor, folder, UInt32(mask) | UInt32(IN_ONLYDIR) | UInt32(IN_EXCL_UNLINK))
        guard watch >= 0 else { throw .latest }
        return watch
    }

    /// Ends a watch; the kernel has ended that of a deleted folder already.
    func remove(_ watch: Int32) { inotify_rm_watch(descriptor, watch) }

    /// Ends all watches.
    func close() { Glibc.close(descriptor) }

    /// The events that wait; empty when there are none.
    func read() -> [Event] {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        return count > 0 ? Self.events(in: buffer.prefix(count)) : []
    }

    /// `struct inotify_event`: watch, mask, cookie, length of the name with its padding; then the name.
    static func events(in bytes: some RandomAccessCollection<UInt8>) -> [Event] {
        var events: [Event] = []
        var rest = Array(bytes)[...]
        while rest.count >= headSize {
            let words = stride(from: 0, to: headSize, by: 4).map { offset in
                rest.dropFirst(offset).prefix(4).reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
            }
            let length = Int(words[3])
            guard rest.count >= headSize + length else { break }
            let name = rest.dropFirst(headSize).prefix(length).prefix { $0 != 0 }
            events.append(
                Event(
                    watch: Int32(bitPattern: words[0]), mask: words[1],
                    name: String(decoding: name, as: UTF8.self)))
            rest = rest.dropFirst(headSize + length)
        }
        return events
    }

    private static let headSize = 16
}
