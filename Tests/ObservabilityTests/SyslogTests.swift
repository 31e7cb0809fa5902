import Foundation
import Logging
import TestSupport
import Testing

@testable import Observability

/// A datagram socket in place of the system's log.
private final class SyslogListener {
    let path: String
    private let descriptor: Int32

    init(path: String) throws {
        self.path = path
        unlink(path)
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw TestFailure("bind \(path): errno \(errno)") }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func receive() throws -> String {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count >= 0 else { throw TestFailure("no message came: errno \(errno)") }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

@Suite(.timeLimit(.minutes(1))) struct SyslogTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path(of: "log") }

    init() throws { folder = try TemporaryFolder() }

    /// A log to syslog and to a file, closed behind the body.
    private func logged(
        facilityCode: Int = 3, level: Logger.Level = .info, _ body: (AgentLog) throws -> Void
    ) throws {
        let log = AgentLog(
            sink: try LogSink(path: folder.path(of: "agent.log"), format: .logfmt),
            syslog: try LogSink(syslog: SyslogTarget(facilityCode: facilityCode, path: path)), level: level)
        defer { log.close() }
        try body(log)
    }

    @Test func aLineIsAMessageOfRFC5424() throws {
        let listener = try SyslogListener(path: path)
        try logged(facilityCode: 16) { log in
            log.makeLogger(label: "agent").warning("Cannot connect", metadata: [.tunnelName: "two words"])
            let message = try listener.receive()
            let form =
                /<132>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [!-~]+ wstunnel (\d+) - - agent: Cannot connect tunnel\.name="two words"/
            let match = try #require(message.wholeMatch(of: form), "\(message)")
            #expect(match.1 == "\(getpid())")
            log.sink.flush()
        }
        // The other log has its line as ever.
        let line = try LogfmtLine(try folder.text(of: "agent.log"))
        #expect(line["message"] == "Cannot connect" && line["level"] == "warning")
    }

    struct Example: Sendable {
        let level: Logger.Level
        let priority: Int
    }

    @Test(arguments: [
        Example(level: .trace, priority: 31), Example(level: .debug, priority: 31),
        Example(level: .info, priority: 30), Example(level: .notice, priority: 29),
        Example(level: .warning, priority: 28), Example(level: .error, priority: 27),
        Example(level: .critical, priority: 26),
    ])
    func severityIsThatOfTheLevel(example: Example) throws {
        let listener = try SyslogListener(path: path)
        try logged(level: .trace) { log in
            log.makeLogger(label: "a").log(level: example.level, "m")
            let message = try listener.receive()
            #expect(message.hasPrefix("<\(example.priority)>1 "), "\(message)")
        }
    }

    @Test func requestsAreToldToo() throws {
        let listener = try SyslogListener(path: path)
        try logged { log in
            log.access.write(
                AccessRecord(
                    serverName: "public", tokenHint: nil, requestID: 7, method: "GET", path: "/a\nb",
                    status: 200, responseBytes: 5, timing: RequestTiming(whole: 1_000_000_000),
                    callerAddress: "127.0.0.1:1", outcome: .ok))
            let message = try listener.receive()
            #expect(message.contains(" - - access: HTTP RET pkg=WStunsrv token=- id=7 status=200 verb=GET "))
            #expect(message.contains(#"url="/a\nb""#), "one line, one message")
        }
    }

    @Test func aHostNameThatIsNoneIsLeftOut() {
        var bytes = LineBytes()
        SyslogHeader(facilityCode: 0, host: "a b", processID: 5).append(
            to: &bytes, at: LogTimestamp(millisecondsSince1970: 0), level: .error)
        #expect(
            String(decoding: bytes.array(), as: UTF8.self)
                == "<3>1 1970-01-01T00:00:00.000Z - wstunnel 5 - - ")
    }

    @Test func aLongMessageIsCutBetweenCharacters() throws {
        let listener = try SyslogListener(path: path)
        let sink = try LogSink(syslog: SyslogTarget(facilityCode: 1, path: path))
        defer { sink.close() }
        sink.append(Array((String(repeating: "x", count: 8191) + "é…\n").utf8))
        sink.append(Array("next\n".utf8))
        #expect(try listener.receive() == String(repeating: "x", count: 8191))
        #expect(try listener.receive() == "next")
    }

    @Test func syslogThatWasRestartedIsFoundAgain() throws {
        let sink = try LogSink(syslog: SyslogTarget(facilityCode: 1, path: path))
        defer { sink.close() }
        var listener = try SyslogListener(path: path)
        sink.append(Array("one\n".utf8))
        #expect(try listener.receive() == "one")
        listener = try SyslogListener(path: path)
        sink.append(Array("two\n".utf8))
        #expect(try listener.receive() == "two")
    }

    @Test func whatNobodyTookIsCounted() throws {
        let target = SyslogTarget(facilityCode: 1, path: path)
        let error = #expect(throws: LogSinkError.self) { try target.check() }
        #expect(error?.description == "cannot reach syslog at \(path): No such file or directory")
        let sink = try LogSink(syslog: target)
        defer { sink.close() }
        for number in 0..<5 { sink.append(Array("lost \(number)\n".utf8)) }
        #expect(sink.flush())
        let listener = try SyslogListener(path: path)
        try target.check()
        sink.append(Array("here\n".utf8))
        #expect(try listener.receive() == "here")
        let report = try listener.receive()
        #expect(report.hasPrefix("<12>1 ") && report.contains("Lines dropped"), "\(report)")
        #expect(report.contains(#" line.count=5 error.message="No such file or directory""#), "\(report)")
    }

    @Test func syslogThatDoesNotReadHoldsNobodyUp() throws {
        let listener = try SyslogListener(path: path)
        let sink = try LogSink(syslog: SyslogTarget(facilityCode: 1, path: path), capacity: 64 << 10)
        let start = ContinuousClock.now
        for number in 0..<20_000 { sink.append(Array("line \(number)\n".utf8)) }
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(try listener.receive() == "line 0")
        sink.close(timeout: .milliseconds(100))
        #expect(ContinuousClock.now - start < .seconds(8))
    }

    @Test func aPathThatIsTooLongIsAnError() {
        let target = SyslogTarget(facilityCode: 1, path: "/" + String(repeating: "x", count: 200))
        #expect(throws: LogSinkError.self) { try target.check() }
    }
}
