import HostSystem
import Observability
import Supervision
import TestSupport
import Testing

@Suite struct ServiceManagerLogTests {
    @Test func aManagerThatIsAwayIsToldOnce() throws {
        let folder = try TemporaryFolder()
        let log = AgentLog(sink: try LogSink(path: folder.path(of: "agent.log"), format: .logfmt))
        let environment = ServiceEnvironment(processID: 42) { name in
            name == "NOTIFY_SOCKET" ? folder.path(of: "nobody") : nil
        }
        let notifier = SystemdNotifier(environment, logger: log.makeLogger(label: "systemd"))
        notifier.ready(status: "")
        notifier.stopping(status: "")
        log.close()
        let lines = try folder.text(of: "agent.log").split(separator: "\n")
        #expect(lines.count == 1 && lines[0].contains("Cannot reach the service manager"))
    }
}
