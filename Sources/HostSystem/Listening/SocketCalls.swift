package import Glibc
import NIOCore
package import SystemPackage

/// The few calls on sockets that are needed here, with errors instead of -1.
package enum SocketCalls {
    /// `SO_BINDTOIFINDEX`: from asm-generic/socket.h, since Linux 5.0.
    private static let bindToInterface: CInt = 62

    /// A socket that does not block, and that child processes do not get.
    package static func open(
        _ family: CInt, _ kind: __socket_type = SOCK_STREAM
    ) throws(Errno) -> OwnedDescriptor {
        let flags = CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
        return try OwnedDescriptor(socket(family, CInt(kind.rawValue) | flags, 0))
    }

    static func bind(_ descriptor: CInt, to address: SocketAddress) throws(Errno) {
        try check(address.withSockAddr { Glibc.bind(descriptor, $0, socklen_t($1)) })
    }

    static func listen(_ descriptor: CInt, backlog: CInt) throws(Errno) {
        try check(Glibc.listen(descriptor, backlog))
    }

    package static func setOption<Value: BitwiseCopyable>(
        _ option: CInt, of descriptor: CInt, to value: Value
    ) throws(Errno) {
        var value = value
        try check(
            setsockopt(descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Value>.size)))
    }

    package static func option(_ option: CInt, of descriptor: CInt) throws(Errno) -> CInt {
        var value: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        try check(getsockopt(descriptor, SOL_SOCKET, option, &value, &size))
        return value
    }

    /// Where a socket over IP is bound.
    static func address(of descriptor: CInt) throws(Errno) -> SocketAddress {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        try check(result)
        let address = withUnsafePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { SocketAddress($0) }
        }
        guard let address else { throw .addressFamilyNotSupported }
        return address
    }

    /// Another descriptor of the same socket.
    static func duplicate(_ descriptor: CInt) throws(Errno) -> CInt {
        try check(fcntl(descriptor, F_DUPFD_CLOEXEC, 0))
    }

    static func setNonBlockingAndCloseOnExec(_ descriptor: CInt) throws(Errno) {
        let flags = try check(fcntl(descriptor, F_GETFL))
        try check(fcntl(descriptor, F_SETFL, flags | O_NONBLOCK))
        try check(fcntl(descriptor, F_SETFD, FD_CLOEXEC))
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
    static func hide(_ descriptor: CInt) throws(Errno) {
        try setOption(bindToInterface, of: descriptor, to: CInt.max)
    }

    @discardableResult
    package static func check(_ result: CInt) throws(Errno) -> CInt {
        guard result >= 0 else { throw .latest }
        return result
    }
}

extension SocketAddress {
    /// An address of IP; nil for any other.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch CInt(address.pointee.sa_family) {
        case AF_INET:
            self = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
        case AF_INET6:
            self = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                SocketAddress($0.pointee)
            }
        default: return nil
        }
    }
}
