internal import Glibc
internal import Logging
internal import Synchronization

/// The system's log, as a sink wants to know it.
package struct SyslogTarget: Sendable, Hashable {
    /// The facility's number (RFC 5424 §6.2.1): 0 `kern` … 23 `local7`.
    package var facilityCode: Int
    /// The datagram socket of the system's log.
    package var path: String

    package init(facilityCode: Int, path: String = "/dev/log") {
        self.facilityCode = facilityCode
        self.path = path
    }

    /// Whether somebody takes messages there now.
    ///
    /// - Throws: `LogSinkError` with the reason when not.
    package func check() throws(LogSinkError) {
        close(try SyslogOutput.connect(to: path))
    }
}

/// What stands before each message (RFC 5424 §6.2): priority, time, and who we are.
struct SyslogHeader: Sendable {
    private let facilityCode: Int
    /// Host, program, process, no message id and no structured data: the same all along.
    private let source: [UInt8]

    init(facilityCode: Int, host: String = Self.hostName(), processID: Int32 = getpid()) {
        self.facilityCode = facilityCode
        let name = host.utf8.count <= 255 && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f } ? host : ""
        source = Array(" \(name.isEmpty ? "-" : name) wstunnel \(processID) - - ".utf8)
    }

    /// Appends the header and the space behind it.
    func append(to bytes: inout LineBytes, at timestamp: LogTimestamp, level: Logger.Level) {
        bytes.append(utf8: "<\(facilityCode * 8 + Self.severity(of: level))>1 ")
        timestamp.append(to: &bytes)
        bytes.append(contentsOf: source)
    }

    /// RFC 5424 §6.2.1, table 2.
    static func severity(of level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Sends each line as a datagram. Connects again when the one who takes them was restarted.
final class SyslogOutput: LogWriting {
    /// What one message holds at most, in bytes; receivers need not take more than 2 KiB (RFC 5424 §6.1), the common
    /// ones take 8.
    static let longestMessage = 8 << 10

    private let path: String
    private let descriptor = Mutex<Int32?>(nil)

    init(path: String) { self.path = path }

    func write(_ bytes: [UInt8]) -> (count: Int, code: Int32) {
        descriptor.withLock { descriptor in
            var start = bytes.startIndex
            while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
                let code = send(Self.message(bytes[start..<end]), &descriptor)
                guard code == 0 else { return (start, code) }
                start = end + 1
            }
            return (start, 0)
        }
    }

    /// There is only one system's log.
    func switchOutput() {}

    func close() {
        descriptor.withLock { descriptor in
            if let open = descriptor { Glibc.close(open) }
            descriptor = nil
        }
    }

    /// As much of a line as a message may hold, cut between characters.
    static func message(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard line.count > longestMessage else { return line }
        var end = line.startIndex + longestMessage
        while end > line.startIndex, line[end] & 0b1100_0000 == 0b1000_0000 { end -= 1 }
        return line[..<end]
    }

    /// - Returns: 0, or the `errno` when nobody takes it, not even after connecting anew.
    private func send(_ message: ArraySlice<UInt8>, _ descriptor: inout Int32?) -> Int32 {
        var code: Int32 = 0
        for _ in 0..<2 {
            if descriptor == nil {
                do throws(LogSinkError) {
                    descriptor = try Self.connect(to: path)
                } catch {
                    return error.code
                }
            }
            guard let open = descriptor else { return code }
            code = sendAll(message, to: open)
            if code == 0 { return 0 }
            Glibc.close(open)
            descriptor = nil
        }
        return code
    }

    private func sendAll(_ message: ArraySlice<UInt8>, to descriptor: Int32) -> Int32 {
        while true {
            let sent = message.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent >= 0 { return 0 }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS:
                // It does not read fast enough. What comes meanwhile waits in the sink's buffer.
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&request, 1, 1000)
            case EMSGSIZE:
                // This one will never go; the next may.
                return 0
            default: return errno
            }
        }
    }

    static func connect(to path: String) throws(LogSinkError) -> Int32 {
        let what = "cannot reach syslog at \(path)"
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw LogSinkError(what: what, code: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw LogSinkError(what: what, code: errno) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw LogSinkError(what: what, code: code)
        }
        return descriptor
    }
}
