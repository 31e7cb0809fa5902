import Foundation
import TestSupport

/// A connection with blocking reads and writes, as cheap as can be: the load must cost less than what it measures.
struct RawStream {
    private let descriptor: Int32
    /// What was read beyond the last head.
    private var rest: [UInt8] = []

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var one: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, size)
        // A run that hangs is a failure, not a benchmark that never ends.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Takes connections from a listening socket until that is shut down, on a thread of its own.
    ///
    /// - Parameter take: called on that thread for each.
    static func accept(from socket: HeldSocket, _ take: @escaping @Sendable (RawStream) -> Void) {
        // The socket itself belongs to who shuts it down.
        let listener = socket.descriptor
        Thread.detachNewThread {
            while true {
                let descriptor = Glibc.accept(listener, nil, nil)
                guard descriptor >= 0 else { break }
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                take(RawStream(descriptor: descriptor))
            }
        }
    }

    /// Connects to a port of 127.0.0.1.
    ///
    /// - Parameters:
    ///   - source: the last number of the address 127.0.0.x that it comes from.
    ///   - receiveBuffer: the kernel's buffer for what it does not read, in bytes; nil for the usual.
    init(port: Int, from source: UInt32 = 1, receiveBuffer: Int32? = nil) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("socket: errno \(errno)") }
        if var receiveBuffer {
            let size = socklen_t(MemoryLayout<Int32>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, size)
        }
        let result = Self.attach(descriptor, to: port, from: source)
        self.init(descriptor: descriptor)
        guard result == 0 else {
            let code = errno
            close()
            throw TestFailure("cannot connect to port \(port): errno \(code)")
        }
    }

    private static func attach(_ descriptor: Int32, to port: Int, from source: UInt32) -> Int32 {
        func with(_ port: Int, _ last: UInt32, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32)
            -> Int32
        {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = (in_addr_t(127) << 24 | in_addr_t(last)).bigEndian
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        if source != 1 {
            // Else each takes a port of its own, whomever it calls, and there are 28,000 (ip(7)).
            var late: Int32 = 1
            setsockopt(
                descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, &late,
                socklen_t(MemoryLayout<Int32>.size))
            guard with(0, source, bind) == 0 else { return -1 }
        }
        return with(port, 1, connect)
    }

    func close() { _ = Glibc.close(descriptor) }

    /// Closes it by a reset, so that the kernel need not remember it: for thousands of them.
    func abort() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Ends reads and writes of the thread that has it.
    func interrupt() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func write(_ text: String) throws { try write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let more = UnsafeRawBufferPointer(rebasing: bytes[written...])
                let count = send(descriptor, more.baseAddress, more.count, Int32(MSG_NOSIGNAL))
                guard count > 0 else { throw TestFailure("write: errno \(errno)") }
                written += count
            }
        }
    }

    /// Writes what the kernel takes at once.
    ///
    /// - Returns: how many bytes that were; nil when the other end is gone.
    func writeSome(_ bytes: ArraySlice<UInt8>) -> Int? {
        let count = bytes.withUnsafeBytes {
            send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
        return count >= 0 ? count : errno == EAGAIN ? 0 : nil
    }

    /// Waits for whatever comes next.
    ///
    /// - Returns: nil when nothing will.
    func readAnything() -> [UInt8]? {
        while true {
            let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { space, count in
                count = max(0, recv(descriptor, space.baseAddress, space.count, 0))
            }
            if !bytes.isEmpty { return bytes }
            var ending = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            // The time limit of a read passes on quiet connections too.
            guard poll(&ending, 1, 0) == 0 else { return nil }
        }
    }

    /// What the kernel holds for it, unread.
    func peek(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let taken = recv(descriptor, &bytes, count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return Array(bytes.prefix(max(0, taken)))
    }

    /// Asks for the small file and takes it.
    mutating func fetchSmall(_ entrance: Way.Entrance) throws {
        try write(Transfer.head("GET", "/1k", entrance, length: nil))
        let head = try readHead()
        let body = try read(RawStream.contentLength(of: head) ?? 0)
        guard head.first?.contains(" 200 ") == true, body.count == 1024 else {
            let text = String(decoding: body.prefix(80), as: UTF8.self)
            throw TestFailure("\(head.first ?? ""): \(text)")
        }
    }

    /// Reads to the empty line behind a head.
    ///
    /// - Returns: the head's lines, without the empty one.
    mutating func readHead() throws -> [Substring] {
        var bytes = rest
        while true {
            if let end = Self.endOfHead(bytes) {
                rest = Array(bytes[end...])
                return String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
            }
            guard bytes.count < 65_536 else { throw TestFailure("a head beyond 64 KiB") }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { throw TestFailure("the connection ended: \(count), errno \(errno)") }
            bytes += chunk[..<count]
        }
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        let (carriageReturn, newline) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        for index in 3..<bytes.count where bytes[index] == newline && bytes[index - 2] == newline {
            if bytes[index - 1] == carriageReturn { return index + 1 }
        }
        return nil
    }

    static func contentLength(of head: [Substring]) -> Int? {
        for line in head where line.lowercased().hasPrefix("content-length:") {
            return Int(line.drop { $0 != ":" }.dropFirst().trimmingCharacters(in: .whitespaces))
        }
        return nil
    }

    /// Takes so many bytes, unseen: the kernel does not even copy them (tcp(7), MSG_TRUNC).
    ///
    /// - Returns: how many there were.
    mutating func drop(_ count: Int) throws -> Int {
        var left = count
        while left > 0 {
            let taken = dropPiece(left, flags: 0)
            guard taken > 0 else { throw TestFailure("\(left) bytes are missing: errno \(errno)") }
            left -= taken
        }
        return count
    }

    /// Takes what is there, at most so many bytes, unseen; perhaps none.
    mutating func dropSome(_ most: Int) throws -> Int {
        let taken = dropPiece(most, flags: Int32(MSG_DONTWAIT))
        if taken < 0, errno == EAGAIN { return 0 }
        guard taken > 0 else { throw TestFailure("\(most) bytes are missing: errno \(errno)") }
        return taken
    }

    /// - Returns: what recv(2) says of so many bytes at most, those that were read beyond the last head before others.
    private mutating func dropPiece(_ most: Int, flags: Int32) -> Int {
        guard rest.isEmpty else {
            let taken = min(rest.count, most)
            rest.removeFirst(taken)
            return taken
        }
        return recv(descriptor, nil, min(most, 1 << 20), Int32(MSG_TRUNC) | flags)
    }

    /// Waits until the kernel has something to read for one of these.
    ///
    /// - Parameter limit: milliseconds.
    /// - Returns: the positions of those that have something.
    static func readable(among streams: [RawStream], within limit: Int32) -> [Int] {
        var polled = streams.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        guard poll(&polled, nfds_t(polled.count), limit) > 0 else { return [] }
        return polled.indices.filter { polled[$0].revents != 0 }
    }

    /// Reads so many bytes.
    mutating func read(_ count: Int) throws -> [UInt8] {
        while rest.count < count {
            var chunk = [UInt8](repeating: 0, count: 4096)
            let taken = recv(descriptor, &chunk, chunk.count, 0)
            guard taken > 0 else { throw TestFailure("the connection ended: errno \(errno)") }
            rest += chunk[..<taken]
        }
        defer { rest.removeFirst(count) }
        return Array(rest[..<count])
    }
}
