package import Glibc

/// Lends the address of a Unix domain socket to a system call: a path, or `@` and an abstract name.
package func withLocalAddress<Value>(
    _ name: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
) -> Value {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(name.utf8)
    let isAbstract = name.hasPrefix("@")
    if isAbstract { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.prefix($0.count - 1)) }
    let size = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1))
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
    }
}

/// A datagram socket in place of the service manager's (`NOTIFY_SOCKET`).
package final class ManagerSocket: Sendable {
    private let descriptor: Int32

    /// - Parameter name: a path, or `@` and an abstract name.
    package init(_ name: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        guard withLocalAddress(name, { bind(descriptor, $0, $1) }) == 0 else {
            throw TestFailure("bind \(name): errno \(errno)")
        }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// The next message; waits for it, but not for ever.
    package func receive() throws -> String {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw TestFailure("no message came: errno \(errno)") }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Whether no message waits now.
    package var isEmpty: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)) < 0
    }
}

/// A TCP socket that listens on 127.0.0.1 and is handed to programs, as a service manager does.
package final class HeldSocket: Sendable {
    package let descriptor: Int32
    package let port: Int

    /// - Parameters:
    ///   - port: where others may be bound too, as long as they do not listen; 0 for one that the kernel picks.
    ///   - backlog: how many connections wait to be accepted at most.
    package init(port: Int = 0, backlog: Int32 = 1024) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        if port != 0 {
            var one: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        let isListening =
            withLoopbackAddress(port: port) { bind(descriptor, $0, $1) } == 0
            && listen(descriptor, backlog) == 0
        guard isListening else { throw TestFailure("cannot listen: errno \(errno)") }
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &size)
            }
        }
        self.port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    /// Nobody listens on it any more, whoever has it: as `ss --kill` does it.
    package func breakOff() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}
