import Glibc
package import NIOCore
import Synchronization
package import SystemPackage

/// Takes connections from a listening socket.
package protocol ConnectionAcceptor: AnyObject, Sendable {
    /// Takes no more connections, and completes those that it has taken.
    func pause() async
    /// Goes on as the only one who takes connections.
    func resume() async
}

/// A TCP socket that is bound and listens: the kernel queues its connections from now on, whether or not a server
/// takes them yet. It is closed when the last owner lets go of it.
package final class ListeningSocket: Sendable {
    /// Connections that the kernel queues.
    static let backlog: CInt = 1024

    /// Where it listens, the port that the kernel picked included.
    package let address: SocketAddress
    /// -1 once it is closed.
    private let descriptor: Mutex<CInt>
    /// Whether other processes may listen on the same port.
    package var sharesPort: Bool { sharing.load(ordering: .acquiring) }
    private let sharing: Atomic<Bool>
    /// What it is for, as the configuration names it.
    private let purpose: String
    /// Whether another process (systemd) holds the same socket, and with it the queue.
    package let isInherited: Bool
    /// Who takes connections from it, or did: the latest one alone does.
    private let users = Mutex<[any ConnectionAcceptor]>([])
    private let retired = Atomic<Bool>(false)

    /// Resolves the host and makes sure of the address: no connection comes before `listen`. Blocks while the host
    /// is looked up: not for an event loop.
    ///
    /// - Parameters:
    ///   - purpose: what asks for it, as the configuration names it, for the error.
    ///   - host: address or host name, IPv6 without brackets.
    ///   - port: 0…65535; 0 lets the kernel choose.
    ///   - reusePort: whether other processes of the same user may listen on the same port.
    ///   - besides: sockets of this process that may stand in the way, as 127.0.0.1 does for 0.0.0.0 on the same
    ///     port: both listen until one is let go.
    /// - Throws: `ListenError` when the address cannot be had.
    package static func reserve(
        for purpose: String, host: String, port: Int, reusePort: Bool = false, besides: [ListeningSocket] = []
    ) throws(ListenError) -> ListeningSocket {
        guard var address = SystemNames.addresses(of: host)?.first else {
            throw ListenError(purpose, unknownHost: host, port: port)
        }
        address.port = port
        do throws(Errno) {
            return try beside(besides, port: port) { hasNeighbours throws(Errno) in
                let socket = try SocketCalls.open(address.protocol == .inet6 ? AF_INET6 : AF_INET)
                try SocketCalls.setOption(SO_REUSEADDR, of: socket.number, to: 1 as CInt)
                if reusePort || hasNeighbours {
                    try SocketCalls.setOption(SO_REUSEPORT, of: socket.number, to: 1 as CInt)
                }
                try SocketCalls.bind(socket.number, to: address)
                let bound = try SocketCalls.address(of: socket.number)
                return ListeningSocket(
                    socket.release(), for: purpose, address: bound, sharesPort: reusePort, isInherited: false)
            }
        } catch {
            throw ListenError(purpose, host: host, port: port, error)
        }
    }

    /// From now on the kernel queues connections.
    ///
    /// - Parameter besides: as for `reserve`.
    /// - Throws: `ListenError` when somebody else was faster.
    package func listen(besides: [ListeningSocket] = []) throws(ListenError) {
        do throws(Errno) {
            try Self.beside(besides, port: port) { hasNeighbours throws(Errno) in
                try descriptor.withLock { descriptor throws(Errno) in
                    try SocketCalls.listen(descriptor, backlog: Self.backlog)
                    if hasNeighbours, !sharesPort {
                        try SocketCalls.setOption(SO_REUSEPORT, of: descriptor, to: 0 as CInt)
                    }
                }
            }
        } catch {
            throw ListenError(purpose, host: host, port: port, error)
        }
    }

    /// Has sockets of the same port bear another one for a moment: the kernel asks only when that one binds and
    /// listens.
    private static func beside<Value>(
        _ others: [ListeningSocket], port: Int, _ work: (_ hasNeighbours: Bool) throws(Errno) -> Value
    ) throws(Errno) -> Value {
        let neighbours = others.filter { $0.address.port == port && port != 0 }
        for neighbour in neighbours { neighbour.allowNeighbours(true) }
        defer { for neighbour in neighbours { neighbour.allowNeighbours(false) } }
        return try work(!neighbours.isEmpty)
    }

    /// Lets other processes of the same user listen on the same port, or no more.
    package func share(_ isShared: Bool) {
        guard !isInherited, sharing.exchange(isShared, ordering: .acquiringAndReleasing) != isShared else {
            return
        }
        descriptor.withLock { try? SocketCalls.setOption(SO_REUSEPORT, of: $0, to: CInt(isShared ? 1 : 0)) }
    }

    /// Takes over a socket that another process opened for this one (socket activation).
    ///
    /// - Parameter descriptor: is owned from now on; where this throws it stays the caller's, unchanged.
    /// - Throws: `ListenError` for what is no listening TCP socket.
    package convenience init(inherited descriptor: CInt) throws(ListenError) {
        if let fault = Self.fault(of: descriptor) { throw ListenError(inherited: descriptor, fault) }
        do throws(Errno) {
            let address = try SocketCalls.address(of: descriptor)
            try SocketCalls.setNonBlockingAndCloseOnExec(descriptor)
            self.init(
                descriptor, for: "socket activation", address: address, sharesPort: false, isInherited: true)
        } catch {
            throw ListenError(inherited: descriptor, "the system says \(error)")
        }
    }

    /// Why a server cannot listen on a descriptor; nil when it can.
    private static func fault(of descriptor: CInt) -> String? {
        do throws(Errno) {
            guard try SocketCalls.option(SO_TYPE, of: descriptor) == CInt(SOCK_STREAM.rawValue) else {
                return "it is no stream socket"
            }
            guard [AF_INET, AF_INET6].contains(try SocketCalls.option(SO_DOMAIN, of: descriptor)) else {
                return "it is no socket over IP"
            }
            let isListening = try SocketCalls.option(SO_ACCEPTCONN, of: descriptor) == 1
            return isListening ? nil : "it does not listen"
        } catch {
            return switch error {
            case .badFileDescriptor: "there is no such descriptor"
            case .notSocket: "it is no socket"
            default: "the system says \(error)"
            }
        }
    }

    private init(
        _ descriptor: CInt, for purpose: String, address: SocketAddress, sharesPort: Bool, isInherited: Bool
    ) {
        self.purpose = purpose
        self.descriptor = Mutex(descriptor)
        self.address = address
        sharing = Atomic(sharesPort)
        self.isInherited = isInherited
    }

    deinit { close() }

    /// The address as text, IPv6 without brackets.
    package var host: String { address.ipAddress ?? "?" }

    /// The port, never 0.
    package var port: Int { address.port ?? 0 }

    /// A descriptor for its user's own use.
    ///
    /// - Throws: when the socket was given up before, or there are no descriptors.
    package func duplicate() throws(Errno) -> CInt {
        try descriptor.withLock { descriptor throws(Errno) in
            guard !retired.load(ordering: .acquiring) else { throw .badFileDescriptor }
            return try SocketCalls.duplicate(descriptor)
        }
    }

    /// A server takes connections from now on.
    ///
    /// - Returns: who did before, and must not any more.
    package func enter(_ acceptor: any ConnectionAcceptor) -> (any ConnectionAcceptor)? {
        users.withLock { users in
            defer { users.append(acceptor) }
            return users.last
        }
    }

    /// A server takes no more connections.
    ///
    /// - Returns: whether it was the last one.
    package func leave(_ acceptor: any ConnectionAcceptor) -> Bool {
        users.withLock { users in
            users.removeAll { $0 === acceptor }
            return users.isEmpty
        }
    }

    /// New connections go elsewhere from now on, as far as the kernel can be told; those that have begun still come
    /// into the queue. The socket is of no further use.
    package func retire() {
        retired.store(true, ordering: .releasing)
        descriptor.withLock { descriptor in
            guard sharesPort else {
                do { try SocketCalls.hide(descriptor) } catch {
                    // An old kernel: whoever opens a connection now asks again in a second, and is told then.
                    try? PacketFilter.dropsOpenings.attach(to: descriptor)
                }
                return
            }
            // Among those who share a port nobody is told apart: the few that come here all the same ask again.
            try? PacketFilter.steersToSecond.attach(toGroupOf: descriptor)
            try? PacketFilter.dropsOpenings.attach(to: descriptor)
        }
    }

    /// The next connection out of the queue, or nil.
    package func accept() -> CInt? { descriptor.withLock { SocketCalls.accept($0) } }

    /// Closes a socket that was given up and whose queue is empty.
    package func close() {
        descriptor.withLock { descriptor in
            guard descriptor >= 0 else { return }
            if sharesPort, retired.load(ordering: .acquiring) {
                try? PacketFilter.detach(fromGroupOf: descriptor)
            }
            Glibc.close(descriptor)
            descriptor = -1
        }
    }

    private func allowNeighbours(_ allows: Bool) {
        guard !sharesPort else { return }
        descriptor.withLock { try? SocketCalls.setOption(SO_REUSEPORT, of: $0, to: CInt(allows ? 1 : 0)) }
    }
}
