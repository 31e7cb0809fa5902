import Glibc
import Synchronization

/// How a connection ended, as seen by who reads from it.
package enum StreamEnd: Error, Hashable, Sendable, CustomStringConvertible {
    /// The peer closed in good order (FIN).
    case closed
    /// The peer, or the system, broke it off (RST, EPIPE).
    case reset
    /// Nothing came, or nothing could be sent, within the limit.
    case timedOut

    package var description: String {
        switch self {
        case .closed: "the peer closed the connection"
        case .reset: "the connection was reset"
        case .timedOut: "the connection was silent for too long"
        }
    }
}

/// A TCP connection with blocking reads and writes, each with a limit. For one thread at a time, except
/// `interrupt` and `close`.
package final class StreamSocket: @unchecked Sendable {
    let descriptor: Int32
    /// Under a lock, so that `interrupt` cannot hit another's descriptor.
    private let closed = Mutex(false)
    private var isClosed: Bool { closed.withLock { $0 } }
    /// Bytes that were read beyond what was asked for.
    private var buffered: [UInt8] = []
    private var consumed = 0

    /// Takes over a connected socket.
    init(descriptor: Int32, limit: Duration) {
        self.descriptor = descriptor
        var one: Int32 = 1
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        set(limit: limit)
    }

    /// Connects to a port of 127.0.0.1.
    ///
    /// - Parameters:
    ///   - limit: how long each read or write may take.
    ///   - receiveBuffer: the kernel's receive buffer in bytes, for readers that fall behind; nil for the
    ///     usual.
    ///   - source: the last byte of the address that it comes from, in 127.0.0.0/24; nil for the usual.
    package convenience init(
        port: Int, limit: Duration = .seconds(20), receiveBuffer: Int32? = nil, from source: UInt8? = nil
    ) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("socket: errno \(errno)") }
        if var receiveBuffer {
            let size = socklen_t(MemoryLayout<Int32>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, size)
        }
        if let source {
            let bound = withLoopbackAddress(port: 0, last: source) { bind(descriptor, $0, $1) }
            guard bound == 0 else {
                Glibc.close(descriptor)
                throw TestFailure("cannot come from 127.0.0.\(source)")
            }
        }
        let result = withLoopbackAddress(port: port) { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw TestFailure("cannot connect to 127.0.0.1:\(port): \(String(cString: strerror(code)))")
        }
        self.init(descriptor: descriptor, limit: limit)
    }

    /// Connects to a Unix domain socket.
    ///
    /// - Parameter limit: how long each read or write may take.
    package convenience init(path: String, limit: Duration = .seconds(20)) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("socket: errno \(errno)") }
        let result = withLocalAddress(path) { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw TestFailure("cannot connect to \(path): \(String(cString: strerror(code)))")
        }
        self.init(descriptor: descriptor, limit: limit)
    }

    deinit { close() }

    /// How long each read or write from now on may take.
    package func set(limit: Duration) {
        var time = timeval()
        time.tv_sec = Int(limit.components.seconds)
        time.tv_usec = Int(limit.components.attoseconds / 1_000_000_000_000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, size)
    }

    /// The port of this end.
    package var localPort: Int { port(getsockname) }

    /// The port of the peer's end.
    package var peerPort: Int { port(getpeername) }

    private func port(
        _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> Int {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = ask(descriptor, $0, &size)
            }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    // MARK: Writing

    /// Writes all of it.
    package func write(_ bytes: some Collection<UInt8>) throws {
        guard !isClosed else { throw StreamEnd.closed }
        let bytes = Array(bytes)
        var written = 0
        try bytes.withUnsafeBytes { buffer in
            while written < buffer.count {
                let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
                let count = send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                if count >= 0 { written += count } else { try handleError() }
            }
        }
    }

    /// Writes text as UTF-8.
    package func write(_ text: String) throws { try write(text.utf8) }

    /// Tells the peer that no more will be written; reading goes on.
    package func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Waits until the peer's machine has everything that was written.
    package func waitUntilDelivered(within limit: Duration = .seconds(20)) throws {
        let deadline = ContinuousClock.now + limit
        // The kernel tells nobody, so it is asked again and again.
        while true {
            var left: Int32 = 0
            guard ioctl(descriptor, UInt(TIOCOUTQ), &left) == 0 else { throw StreamEnd.reset }
            if left == 0 { return }
            guard ContinuousClock.now < deadline else { throw StreamEnd.timedOut }
            usleep(1000)
        }
    }

    // MARK: Reading

    /// Reads what is there, waiting for at least a byte.
    ///
    /// - Throws: `StreamEnd`.
    package func readSome(upTo limit: Int = 65_536) throws -> [UInt8] {
        if consumed == buffered.count { try fill() }
        let end = min(buffered.count, consumed + limit)
        defer { consumed = end }
        return Array(buffered[consumed..<end])
    }

    /// Reads exactly as many bytes.
    package func read(_ count: Int) throws -> [UInt8] {
        while buffered.count - consumed < count { try fill() }
        defer { consumed += count }
        return Array(buffered[consumed..<consumed + count])
    }

    /// Reads a line and gives it without its CR LF (or LF).
    package func readLine(limit: Int = 1 << 20) throws -> String {
        var searched = consumed
        while true {
            if let newline = buffered[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                var line = buffered[consumed..<newline]
                consumed = newline + 1
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return String(decoding: line, as: UTF8.self)
            }
            guard buffered.count - consumed <= limit else {
                throw TestFailure("a line beyond \(limit) bytes")
            }
            let distance = buffered.count - consumed
            try fill()
            searched = consumed + distance
        }
    }

    /// Reads until the peer closes.
    ///
    /// - Throws: `StreamEnd` when it ends otherwise.
    package func readToEnd() throws -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            while true { bytes += try readSome() }
        } catch StreamEnd.closed {
            return bytes
        }
    }

    /// Waits for the peer to go, skipping what it still sends.
    ///
    /// - Returns: `closed` or `reset`; `timedOut` when it stayed.
    package func waitForEnd(within limit: Duration = .seconds(20)) -> StreamEnd {
        set(limit: limit)
        do {
            while true { _ = try readSome() }
        } catch let end as StreamEnd {
            return end
        } catch {
            return .reset
        }
    }

    // MARK: Ending

    /// Whether the peer has closed or reset, with nothing left to read before it.
    var hasPeerLeft: Bool {
        closed.withLock { isClosed in
            guard !isClosed, consumed == buffered.count else { return isClosed }
            var byte: UInt8 = 0
            let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
            return count == 0 || count < 0 && errno != EAGAIN && errno != EINTR
        }
    }

    /// Closes in good order. Safe to call again.
    package func close() {
        closed.withLock { isClosed in
            if !isClosed { Glibc.close(descriptor) }
            isClosed = true
        }
    }

    /// Breaks the connection off: the peer sees a reset.
    package func reset() {
        closed.withLock { isClosed in
            guard !isClosed else { return }
            isClosed = true
            var linger = linger(l_onoff: 1, l_linger: 0)
            let size = socklen_t(MemoryLayout.size(ofValue: linger))
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, size)
            Glibc.close(descriptor)
        }
    }

    /// Ends a read or write that another thread waits in.
    func interrupt() {
        closed.withLock { isClosed in
            if !isClosed { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Breaks the connection off while other threads read and write: they come back at once, and the peer
    /// sees a reset at the latest when one of them calls `close`.
    func cut() {
        closed.withLock { isClosed in
            guard !isClosed else { return }
            var linger = linger(l_onoff: 1, l_linger: 0)
            let size = socklen_t(MemoryLayout.size(ofValue: linger))
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, size)
            shutdown(descriptor, Int32(SHUT_RDWR))
        }
    }

    private func fill() throws {
        guard !isClosed else { throw StreamEnd.closed }
        if consumed > 0 {
            buffered.removeFirst(consumed)
            consumed = 0
        }
        var count = 0
        var code: Int32 = 0
        buffered += [UInt8](unsafeUninitializedCapacity: 65_536) { space, initialized in
            repeat {
                count = recv(descriptor, space.baseAddress, space.count, 0)
                code = errno
            } while count < 0 && code == EINTR
            initialized = max(0, count)
        }
        if count == 0 { throw StreamEnd.closed }
        if count < 0 {
            errno = code
            try handleError()
        }
    }

    /// Gives the error of the last call its name; an interrupted call is no error.
    private func handleError() throws {
        switch errno {
        case EINTR: return
        case EAGAIN: throw StreamEnd.timedOut
        case ECONNRESET, EPIPE, ENOTCONN: throw StreamEnd.reset
        default: throw TestFailure("socket error \(errno): \(String(cString: strerror(errno)))")
        }
    }
}
