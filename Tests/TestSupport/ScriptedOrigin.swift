import Foundation
import Synchronization

/// An origin that does what a test says, right or wrong: each connection runs the script on a thread of
/// its own, and is closed when the script ends.
///
/// ```swift
/// let origin = try ScriptedOrigin { connection in
///     while let request = try connection.readRequest() { try connection.echo(request) }
/// }
/// ```
package final class ScriptedOrigin: Sendable {
    package typealias Script = @Sendable (OriginConnection) throws -> Void

    package let port: Int
    package var url: String { "http://127.0.0.1:\(port)" }
    private let listener: Int32
    private let state: State

    /// Listens on a port of 127.0.0.1 that the kernel picks.
    ///
    /// - Parameters:
    ///   - limit: how long each read or write of a script may take, unless the script says otherwise.
    ///   - port: a port to listen on again, for an origin that comes back; 0 for any.
    ///   - receiveBuffer: the kernel's receive buffer of each connection in bytes; nil for the usual.
    package init(
        port: Int = 0, limit: Duration = .seconds(30), receiveBuffer: Int32? = nil, _ script: @escaping Script
    ) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("socket: errno \(errno)") }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        if var receiveBuffer {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
        }
        guard withLoopbackAddress(port: port, { Glibc.bind(descriptor, $0, $1) }) == 0,
            listen(descriptor, 1024) == 0
        else {
            let code = errno
            Glibc.close(descriptor)
            throw TestFailure("cannot listen on 127.0.0.1:\(port): errno \(code)")
        }
        listener = descriptor
        self.port = Self.localPort(of: descriptor)
        state = State()
        let state = self.state
        Thread.detachNewThread { Self.accept(on: descriptor, limit: limit, state: state, script: script) }
    }

    deinit { close() }

    /// An origin that echoes requests and, on `Upgrade: websocket`, messages; see
    /// `OriginConnection.echo(_:)`.
    package static func echo(port: Int = 0) throws -> ScriptedOrigin {
        try ScriptedOrigin(port: port) { connection in
            while let request = try connection.readRequest() {
                if request.has("Upgrade", "websocket") {
                    try connection.acceptWebSocket(request)
                    return try connection.echoWebSocket()
                }
                try connection.echo(request)
            }
        }
    }

    /// How many connections were accepted so far.
    package var connectionCount: Int { state.accepted.value }
    /// How many scripts have ended so far.
    package var endedCount: Int { state.ended.value }
    /// What scripts threw, in the order of their ends; `StreamEnd.closed` and `.reset` tell of peers that
    /// left in the middle.
    package var failures: [any Error] { state.shared.withLock { $0.failures } }

    /// Waits until as many connections were accepted since the start.
    package func waitForConnections(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try state.accepted.wait(for: count, within: limit, what: "connections to the origin")
    }

    /// Waits until as many scripts have ended since the start.
    package func waitForEnds(_ count: Int, within limit: Duration = .seconds(20)) throws {
        try state.ended.wait(for: count, within: limit, what: "ends of connections to the origin")
    }

    /// Stops listening and cuts all connections, as the end of the program would. Safe to call again.
    package func close() {
        let isFirst = state.shared.withLock { shared in
            for socket in shared.open.values { socket.interrupt() }
            defer { shared.isClosed = true }
            return !shared.isClosed
        }
        guard isFirst else { return }
        // Ends the accepting thread, which closes the listener.
        shutdown(listener, Int32(SHUT_RDWR))
        _ = try? state.listenerClosed.wait()
    }

    private final class State: Sendable {
        struct Shared {
            var open: [Int: StreamSocket] = [:]
            var failures: [any Error] = []
            var isClosed = false
        }
        let shared = Mutex(Shared())
        let accepted = WaitableCounter()
        let ended = WaitableCounter()
        let listenerClosed = Gate()
    }

    private static func accept(
        on listener: Int32, limit: Duration, state: State, script: @escaping Script
    ) {
        var number = 0
        while true {
            var request = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            guard poll(&request, 1, -1) >= 0 || errno == EINTR else { break }
            if request.revents & Int16(POLLHUP) != 0 || state.shared.withLock({ $0.isClosed }) { break }
            let descriptor = descriptorLock.withLock { _ in
                let descriptor = Glibc.accept(listener, nil, nil)
                if descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
                return descriptor
            }
            guard descriptor >= 0 else { continue }
            number += 1
            let socket = StreamSocket(descriptor: descriptor, limit: limit)
            let connection = OriginConnection(number: number, socket: socket)
            serve(connection, state: state, script: script)
        }
        Glibc.close(listener)
        state.listenerClosed.open()
    }

    private static func serve(_ connection: OriginConnection, state: State, script: @escaping Script) {
        let number = connection.number
        let isTaken = state.shared.withLock { shared in
            if !shared.isClosed { shared.open[number] = connection.socket }
            return !shared.isClosed
        }
        guard isTaken else { return connection.socket.reset() }
        state.accepted.add(1)
        Thread.detachNewThread {
            let result = Result { try script(connection) }
            state.shared.withLock { shared in
                shared.open[number] = nil
                if case .failure(let error) = result { shared.failures.append(error) }
            }
            connection.socket.close()
            state.ended.add(1)
        }
    }

    private static func localPort(of descriptor: Int32) -> Int {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &size)
            }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
