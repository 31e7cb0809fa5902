import Glibc
import NIOCore

/// The few calls on a descriptor that a listening socket needs, with errors instead of -1.
enum SocketCalls {
    /// `SO_BINDTOIFINDEX`: from asm-generic/socket.h, since Linux 5.0.
    private static let bindToInterface: CInt = 62

    static func openStream(_ family: CInt) throws -> CInt {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        return try check(socket(family, type, 0), "socket")
    }

    static func bind(_ descriptor: CInt, to address: SocketAddress) throws {
        _ = try address.withSockAddr { try check(Glibc.bind(descriptor, $0, socklen_t($1)), "bind") }
    }

    static func listen(_ descriptor: CInt, backlog: CInt) throws {
        _ = try check(Glibc.listen(descriptor, backlog), "listen")
    }

    static func setOption(_ option: CInt, of descriptor: CInt, to value: CInt) throws {
        var value = value
        _ = try check(
            setsockopt(descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<CInt>.size)),
            "setsockopt")
    }

    static func option(_ option: CInt, of descriptor: CInt) throws -> CInt {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        _ = try check(getsockopt(descriptor, SOL_SOCKET, option, &value, &size), "getsockopt")
        return value
    }

    /// Where a socket is bound.
    static func address(of descriptor: CInt) throws -> SocketAddress {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return try withUnsafeMutablePointer(to: &storage) { storage in
            try storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = try check(getsockname(descriptor, $0, &size), "getsockname")
            }
            switch CInt(storage.pointee.ss_family) {
            case AF_INET:
                return storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    SocketAddress($0.pointee)
                }
            case AF_INET6:
                return storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    SocketAddress($0.pointee)
                }
            default: throw SocketAddressError.unsupported
            }
        }
    }

    /// Another descriptor of the same socket.
    static func duplicate(_ descriptor: CInt) throws -> CInt {
        try check(fcntl(descriptor, F_DUPFD_CLOEXEC, 0), "fcntl")
    }

    static func setNonBlockingAndCloseOnExec(_ descriptor: CInt) throws {
        let flags = try check(fcntl(descriptor, F_GETFL), "fcntl")
        _ = try check(fcntl(descriptor, F_SETFL, flags | O_NONBLOCK), "fcntl")
        _ = try check(fcntl(descriptor, F_SETFD, FD_CLOEXEC), "fcntl")
    }

    /// The next connection out of the kernel's queue; nil when it is empty, or nothing more can be had.
    static func accept(_ descriptor: CInt) -> CInt? {
        while true {
            let accepted = Glibc.accept(descriptor, nil, nil)
            if accepted >= 0 {
                try? setNonBlockingAndCloseOnExec(accepted)
                return accepted
            }
            // One that left while it waited says nothing of the next.
            guard errno == EINTR || errno == ECONNABORTED else { return nil }
        }
    }

    /// Takes a listening socket out of the kernel's search for new connections: it is bound to a network interface
    /// that is not there. Handshakes that have begun still end in its queue, and another socket that listens on
    /// the same address or all addresses gets what is new at once. Only a privileged process can undo it.
    static func hide(_ descriptor: CInt) throws {
        try setOption(bindToInterface, of: descriptor, to: .max)
    }

    static func check(_ result: CInt, _ call: String) throws -> CInt {
        guard result < 0 else { return result }
        throw IOError(errnoCode: errno, reason: call)
    }
}
