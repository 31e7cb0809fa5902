package import Glibc

/// The address of a Unix domain socket: a path, or an abstract name.
package struct LocalSocketAddress {
    private var address = sockaddr_un()
    private let size: socklen_t

    /// What a path holds at most, in bytes; the zero byte behind it is not counted.
    package static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// The address of a path; nil when it is empty or too long.
    package init?(path: String) {
        let bytes = Array(path.utf8)
        guard 1...Self.longestPath ~= bytes.count, !bytes.contains(0) else { return nil }
        self.init(bytes: bytes + [0])
    }

    /// The address that `NOTIFY_SOCKET` means: an absolute path, or an abstract name behind an `@`.
    init?(notifySocket name: String) {
        switch name.utf8.first {
        case UInt8(ascii: "/"): self.init(path: name)
        case UInt8(ascii: "@"):
            let bytes = [0] + Array(name.utf8.dropFirst())
            guard bytes.count > 1, bytes.count <= Self.longestPath + 1 else { return nil }
            self.init(bytes: bytes)
        default: return nil
        }
    }

    private init(bytes: [UInt8]) {
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        // An abstract name has no end mark: its length counts.
        let head = MemoryLayout<sockaddr_un>.size - (Self.longestPath + 1)
        size = socklen_t(head + bytes.count)
    }

    /// Lends the address to a system call.
    package func withSockaddr<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) }
        }
    }
}
