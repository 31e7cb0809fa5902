import Foundation
import Synchronization
import TestSupport
import Testing

extension PrometheusTests {
    /// An agent whose tunnels are slow, each for a reason of its own: one is far away, one carries a request at a time, the
    /// origin of one takes no connections, and the callers of one read nothing.
    private final class SlowAgent {
        let agent: AgentProcess
        let adminPort: Int
        private let ports: [String: Int]
        private let line: DelayLine
        private let slowOrigin: ScriptedOrigin
        private let fullOrigin: HeldSocket
        private let files: TemporaryFolder

        static func token(_ name: String) -> String { "slow-agent-\(name)-tunnel" }

        init() throws {
            adminPort = try freePort()
            let names = ["far", "busy", "public"]
            let ports = Dictionary(uniqueKeysWithValues: try names.map { ($0, try freePort()) })
            self.ports = ports
            func server(_ name: String, _ option: String = "") -> String {
                "  - { name: \(name), host: 127.0.0.1, port: \(ports[name, default: 0])\(option) }"
            }
            func tunnel(_ name: String, at port: Int, to origin: String) -> String {
                "  - { name: \(name), tunnel: \"ws://127.0.0.1:\(port)\", token: \(Self.token(name)), "
                    + "server: \"\(origin)\", connections: 1 }"
            }
            line = try DelayLine(to: ports["far", default: 0], each: .milliseconds(400))
            slowOrigin = try ScriptedOrigin { connection in
                while let request = try connection.readRequest() {
                    // What the test is about.
                    usleep(400_000)
                    try connection.echo(request)
                }
            }
            // Two get a place in its queue; nobody takes them out of there.
            fullOrigin = try HeldSocket(backlog: 1)
            files = try TemporaryFolder()
            let large = try files.write("", to: "large")
            guard truncate(large, 1 << 30) == 0 else { throw TestFailure("truncate: errno \(errno)") }
            let text = [
                "admin: { listen: \"127.0.0.1:\(adminPort)\", token: \(WatchedAgent.token) }",
                "servers:", server("far"), server("busy", ", max-requests-per-session: 1"), server("public"),
                "tunnels:",
                tunnel("far", at: line.port, to: "builtin:echo"),
                tunnel("busy", at: ports["busy", default: 0], to: slowOrigin.url),
                tunnel("full", at: ports["public", default: 0], to: "http://127.0.0.1:\(fullOrigin.port)"),
                tunnel("files", at: ports["public", default: 0], to: "file://\(files.path)"),
            ]
            agent = try AgentProcess(configuration: text.joined(separator: "\n") + "\n")
            for name in ["far", "busy", "full", "files"] { try agent.waitForSession(ofTunnel: name) }
        }

        /// Callers that ask for a tunnel again and again.
        func callers(
            _ count: Int, of tunnel: String, at server: String, status: Int? = 200
        ) -> PersistentCallers {
            PersistentCallers(
                count, port: ports[server, default: 0], token: Self.token(tunnel), status: status)
        }

        /// A caller who asks for more than a window holds, and reads nothing.
        func silentCaller() throws -> HTTPConnection {
            let caller = try HTTPConnection(port: ports["public", default: 0], receiveBuffer: 16_384)
            try caller.send("GET", "/large", fields: [("X-Token", Self.token("files"))])
            return caller
        }
    }

    @Test func whatIsSlowIsToldOf() throws {
        let slow = try SlowAgent()
        let prometheus = try Prometheus(scraping: slow.adminPort, token: WatchedAgent.token)
        let far = slow.callers(2, of: "far", at: "far")
        let busy = slow.callers(8, of: "busy", at: "busy")
        // They give up with the agent: until then each waits until it is told that there is no connection.
        let full = slow.callers(20, of: "full", at: "public", status: nil)
        // A quarter of a MiB for each is more than half of the 128 MiB.
        let silent = try (0..<270).map { _ in try slow.silentCaller() }
        try prometheus.waitForAlerts([
            "WstunnelTunnelSlow", "WstunnelQueueSlow", "WstunnelOriginQueue", "WstunnelReceiveBufferFull",
        ])
        #expect(try prometheus.subjects(ofAlert: "WstunnelTunnelSlow", "server").contains("far"))
        #expect(try prometheus.subjects(ofAlert: "WstunnelQueueSlow", "server") == ["busy"])
        #expect(try prometheus.subjects(ofAlert: "WstunnelOriginQueue", "tunnel") == ["full"])
        for caller in silent { caller.close() }
        try far.stop()
        try busy.stop()

        // The loop that serves Prometheus cannot tell that it is late itself: so one after the other, again and again, as
        // who scrapes may have better to do as well.
        let loops = try slow.agent.process.threads(named: "NIO-ELT")
        try #require(loops.count > 1)
        let isTold = Atomic<Bool>(false)
        let process = slow.agent.process
        let holder = Background { () throws in
            while !isTold.load(ordering: .relaxed) {
                for loop in loops { try process.hold(thread: loop, for: .seconds(3)) }
            }
        }
        try prometheus.waitForAlerts(["WstunnelEventLoopLate"])
        isTold.store(true, ordering: .relaxed)
        try holder.value()
        for rule in try prometheus.rules() { #expect(rule.health == "ok", "\(rule)") }
        slow.agent.process.kill()
        // Those who wait get no answer any more.
        try? full.stop()
    }
}
