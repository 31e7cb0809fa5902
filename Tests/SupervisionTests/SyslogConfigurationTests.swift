import Foundation
import Logging
import Observability
import TestSupport
import Testing
import TunnelConfiguration

@testable import Supervision

/// What `log.syslog` of a configuration means.
@Suite(.timeLimit(.minutes(1))) struct SyslogConfigurationTests {
    @Test func syslogThatIsAwayIsToldInTheOtherLog() throws {
        let folder = try TemporaryFolder()
        let log = try AgentLog(
            LogConfiguration(
                format: .logfmt, destination: .file(path: folder.path(of: "agent.log")), syslog: .daemon),
            syslogPath: folder.path(of: "no-socket"))
        log.makeLogger(label: "agent").info("Agent running")
        log.close()
        let lines = try folder.text(of: "agent.log").split(separator: "\n").map { try LogfmtLine(String($0)) }
        #expect(lines.map { $0["level"] } == ["warning", "info"])
        #expect(lines.first?["message"] == "Syslog is not there: its lines are dropped until it comes")
        #expect(lines.first?["error.message"]?.contains("no-socket: No such file or directory") == true)
    }

    @Test func withoutItThereIsNoSyslog() throws {
        let folder = try TemporaryFolder()
        let log = try AgentLog(LogConfiguration(destination: .file(path: folder.path(of: "agent.log"))))
        #expect(log.syslog == nil)
        log.close()
    }

    @Test func theFacilityIsThatOfTheConfiguration() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "socket")
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0)
        let log = try AgentLog(
            LogConfiguration(destination: .file(path: folder.path(of: "agent.log")), syslog: .local3),
            syslogPath: path)
        log.makeLogger(label: "agent").error("Cannot start")
        log.close()
        var bytes = [UInt8](repeating: 0, count: 2048)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        let message = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        // local3 is 19, an error 3.
        #expect(message.hasPrefix("<155>1 ") && message.hasSuffix(" - - agent: Cannot start"), "\(message)")
    }
}
