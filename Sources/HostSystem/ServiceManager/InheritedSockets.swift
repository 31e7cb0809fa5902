import Glibc

/// A socket that the service manager has bound and handed over (socket activation, sd_listen_fds(3)).
package struct InheritedSocket: Sendable, Hashable {
    /// `FileDescriptorName=` of the socket unit: for us the name of a server. `unknown` where none is given.
    package var name: String
    /// A listening stream socket. Whoever takes it closes it.
    package var descriptor: Int32

    package init(name: String, descriptor: Int32) {
        self.name = name
        self.descriptor = descriptor
    }

    /// The first one's number, always.
    static let firstDescriptor: Int32 = 3
    /// More than this is taken for a mistake.
    static let mostSockets = 1024

    /// What the three variables mean.
    ///
    /// - Parameters:
    ///   - processID: `LISTEN_PID`. The sockets of another process are none of ours: an empty list.
    ///   - count: `LISTEN_FDS`.
    ///   - names: `LISTEN_FDNAMES`, one for each socket, colons between.
    /// - Throws: when they are meant for us but make no sense.
    static func parse(
        processID: String?, count: String?, names: String?, ownProcessID: Int32,
        firstDescriptor: Int32 = Self.firstDescriptor
    ) throws(InheritedSocketsError) -> [InheritedSocket] {
        guard let processID, Int32(processID) == ownProcessID, let count else { return [] }
        guard let number = Int(count), 0...mostSockets ~= number else {
            throw InheritedSocketsError("LISTEN_FDS is \"\(count)\", not a number from 0 to \(mostSockets)")
        }
        guard let names, number > 0 else {
            return (0..<Int32(number)).map {
                InheritedSocket(name: "unknown", descriptor: firstDescriptor + $0)
            }
        }
        let list = names.split(separator: ":", omittingEmptySubsequences: false)
        guard list.count == number else {
            throw InheritedSocketsError(
                "LISTEN_FDNAMES has \(list.count) names for LISTEN_FDS=\(number) sockets")
        }
        return zip(list, firstDescriptor...).map {
            InheritedSocket(name: String($0), descriptor: $1)
        }
    }

    /// Makes sure that child commands do not inherit the socket, and that connections can be accepted from it.
    ///
    /// - Throws: when the descriptor is not open, or no listening stream socket.
    package func claim() throws(InheritedSocketsError) {
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else {
            throw InheritedSocketsError(
                "socket \"\(name)\": descriptor \(descriptor) is not open, though LISTEN_FDS counts it")
        }
        guard (try? SocketCalls.option(SO_TYPE, of: descriptor)) == CInt(SOCK_STREAM.rawValue),
            (try? SocketCalls.option(SO_ACCEPTCONN, of: descriptor)) == 1
        else {
            throw InheritedSocketsError(
                "socket \"\(name)\" does not listen — use ListenStream= and Accept=no in its socket unit")
        }
    }
}

/// Sockets of the service manager that cannot be used.
package struct InheritedSocketsError: Error, Hashable, CustomStringConvertible {
    /// What is wrong, where, and what to do.
    package let description: String

    package static func sameName(_ name: String) -> InheritedSocketsError {
        InheritedSocketsError(
            "two sockets are named \"\(name)\", and a server has one — one ListenStream= in each socket unit, with a FileDescriptorName= of its own"
        )
    }

    init(_ description: String) { self.description = "socket activation: " + description }
}
