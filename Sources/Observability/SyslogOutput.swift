internal import Glibc
internal import HostSystem
internal import Logging
internal import Synchronization
internal import SystemPackage

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
        do throws(Errno) {
            _ = try SyslogOutput.connect(to: path)
        } catch {
            throw LogSinkError(what: "cannot reach syslog at \(path)", error)
        }
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
    private let connection = Mutex<OwnedDescriptor?>(nil)

    init(path: String) { self.path = path }

    func write(_ bytes: [UInt8]) -> (count: Int, code: Int32) {
        connection.withLock { connection in
            var start = bytes.startIndex
            while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
                do throws(Errno) {
                    try send(Self.message(bytes[start..<end]), &connection)
                } catch {
                    return (start, error.rawValue)
                }
                start = end + 1
            }
            return (start, 0)
        }
    }

    /// There is only one system's log.
    func switchOutput() {}

    func close() { connection.withLock { $0 = nil } }

    /// As much of a line as a message may hold, cut between characters.
    static func message(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard line.count > longestMessage else { return line }
        var end = line.startIndex + longestMessage
        while end > line.startIndex, line[end] & 0b1100_0000 == 0b1000_0000 { end -= 1 }
        return line[..<end]
    }

    /// - Throws: when nobody takes it, not even after connecting anew.
    private func send(
        _ message: ArraySlice<UInt8>, _ connection: inout OwnedDescriptor?
    ) throws(Errno) {
        if let open = connection.take(), (try? sendAll(message, to: open.number)) != nil {
            connection = consume open
            return
        }
        let open = try Self.connect(to: path)
        try sendAll(message, to: open.number)
        connection = consume open
    }

    private func sendAll(_ message: ArraySlice<UInt8>, to descriptor: CInt) throws(Errno) {
        while true {
            let sent = message.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
            }
            if sent >= 0 { return }
            switch Errno.latest {
            case .interrupted: continue
            case .resourceTemporarilyUnavailable, .noBufferSpace:
                // It does not read fast enough. What comes meanwhile waits in the sink's buffer.
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&request, 1, 1000)
            case .messageTooLong:
                // This one will never go; the next may.
                return
            case let failure: throw failure
            }
        }
    }

    static func connect(to path: String) throws(Errno) -> OwnedDescriptor {
        guard let address = LocalSocketAddress(path: path) else { throw .fileNameTooLong }
        let socket = try SocketCalls.open(AF_UNIX, SOCK_DGRAM)
        try SocketCalls.check(address.withSockaddr { Glibc.connect(socket.number, $0, $1) })
        return socket
    }
}
