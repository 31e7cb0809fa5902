import Testing

@testable import HostSystem

@Suite struct ServiceEnvironmentTests {
    private static func environment(_ variables: [String: String], processID: Int32 = 42)
        -> ServiceEnvironment
    {
        ServiceEnvironment(processID: processID) { variables[$0] }
    }

    @Test func withoutAManagerThereIsNothing() throws {
        let environment = Self.environment([:])
        #expect(environment.notifySocket == nil)
        #expect(environment.watchdogTimeout == nil)
        #expect(try environment.sockets.get() == [])
        #expect(Self.environment(["NOTIFY_SOCKET": "", "WATCHDOG_USEC": ""]).notifySocket == nil)
    }

    @Test func whatTheManagerSaysIsRead() throws {
        let environment = Self.environment([
            "NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42",
            "LISTEN_PID": "42", "LISTEN_FDS": "2",
            "LISTEN_FDNAMES": "public:intern",
        ])
        #expect(environment.notifySocket == "/run/systemd/notify")
        #expect(environment.watchdogTimeout == .seconds(30))
        #expect(
            try environment.sockets.get() == [
                InheritedSocket(name: "public", descriptor: 3),
                InheritedSocket(name: "intern", descriptor: 4),
            ])
    }

    @Test(
        arguments: [
            (["WATCHDOG_USEC": "1000"], Duration.milliseconds(1)),
            (["WATCHDOG_USEC": "1000", "WATCHDOG_PID": "42"], .milliseconds(1)),
            (["WATCHDOG_USEC": "1000", "WATCHDOG_PID": "43"], nil),
            (["WATCHDOG_USEC": "1000", "WATCHDOG_PID": "x"], nil),
            (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "-1"], nil),
            (["WATCHDOG_USEC": "99999999999999999999"], nil),
            (["WATCHDOG_USEC": "soon"], nil),
        ] as [([String: String], Duration?)])
    func theWatchdogIsOursOrNobodys(variables: [String: String], timeout: Duration?) {
        #expect(Self.environment(variables).watchdogTimeout == timeout)
    }

    @Test func whatIsForThisProcessAloneIsRemoved() {
        let others = [
            "CREDENTIALS_DIRECTORY": "/run/credentials", "RUNTIME_DIRECTORY": "/run/wstunnel", "PATH": "/",
        ]
        var variables = others.merging(
            [
                "NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "42", "LISTEN_PID": "42",
                "LISTEN_FDS": "nonsense", "LISTEN_FDNAMES": "a", "LISTEN_PIDFDID": "1",
            ]) { $1 }
        let environment = ServiceEnvironment.take(
            processID: 42, variable: { variables[$0] }, remove: { variables[$0] = nil })
        #expect(environment.notifySocket == "@x")
        #expect(environment.watchdogTimeout == .microseconds(1))
        #expect(throws: InheritedSocketsError.self) { try environment.sockets.get() }
        #expect(variables == others)
    }
}
