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

    /// Connects to a port of 127.0.0.1.
    init(port: Int) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw TestFailure("socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        self.init(descriptor: descriptor)
        guard result == 0 else {
            let code = errno
            close()
            throw TestFailure("cannot connect to port \(port): errno \(code)")
        }
    }

    func close() { _ = Glibc.close(descriptor) }

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
