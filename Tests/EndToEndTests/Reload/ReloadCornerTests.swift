import Foundation
import TestSupport
import Testing

/// Changes that stand in each other's way, or come faster than what they change.
@Suite(.timeLimit(.minutes(1))) struct ReloadCornerTests {
    private static let token = "corner-test-token-0123"

    private static func server(_ port: Int, _ more: String = "") -> String {
        "servers:\n  - { name: public, host: 127.0.0.1, port: \(port)\(more) }\n"
    }

    private static func isHealthy(_ port: Int) throws -> Bool {
        try HTTPConnection(port: port).exchange("GET", "/_health_check").status == 200
    }

    @Test func sharingThePortIsSwitchedOnWhileTheServerRuns() throws {
        let port = try freePort()
        let world = try ReloadedAgent(Self.server(port))
        let other = Self.server(port, ", reuse-port: true")
        #expect(throws: TestFailure.self) { try AgentProcess(configuration: other) }
        #expect(try world.apply(other) == .applied)
        let second = try AgentProcess(configuration: other)
        #expect(try second.stop() == .code(0))
        #expect(try Self.isHealthy(port))
    }

    @Test func aServerThatIsTakenOutAndPutBackAtOnceHasItsPortAgain() throws {
        let (port, other) = (try freePort(), try freePort())
        let both = Self.server(port) + "  - { name: other, host: 127.0.0.1, port: \(other) }\n"
        let world = try ReloadedAgent(both)
        for _ in 0..<5 {
            #expect(try world.apply(Self.server(port)) == .applied)
            #expect(try world.apply(both) == .applied)
            #expect(try Self.isHealthy(other))
        }
    }

    @Test func aPathThatIsWrittenInAnotherWayIsTheSameFile() throws {
        let port = try freePort()
        let first = "pidfile: agent.pid\ncontrol-socket: agent.sock\n" + Self.server(port)
        let world = try ReloadedAgent(first)
        let spelled = first.replacingOccurrences(of: "agent.", with: "../\(folderName(world))/agent.")
        #expect(try world.apply(spelled) == .applied)
        #expect(try world.folder.text(of: "agent.pid") == "\(world.agent.process.processID)\n")
        #expect(try world.status().generation == 2)
        #expect(try world.agent.stop() == .code(0))
        #expect(!FileManager.default.fileExists(atPath: world.folder.path(of: "agent.pid")))
        #expect(!FileManager.default.fileExists(atPath: world.folder.path(of: "agent.sock")))
    }

    private func folderName(_ world: ReloadedAgent) -> String {
        URL(fileURLWithPath: world.folder.path).lastPathComponent
    }

    @Test func theAdminListenerMovesToAnOverlappingAddressOfItsPort() throws {
        let port = try freePort()
        let admin = { (host: String) in
            "admin: { listen: \"\(host):\(port)\", token: admin-token-0123456, hosts: [caller.test] }\n"
                + Self.server(0)
        }
        let world = try ReloadedAgent(admin("127.0.0.1"))
        #expect(try world.apply(admin("0.0.0.0")) == .applied)
        let answer = try HTTPConnection(port: port).exchange(
            "GET", "/api/status", fields: [("Authorization", "Bearer admin-token-0123456")])
        #expect(answer.status == 200)
    }

    @Test func aPidfileThatIsRefusedWithTheRestLeavesNoTrace() throws {
        let world = try ReloadedAgent(Self.server(try freePort()))
        let taken = try ScriptedOrigin { _ in }
        #expect(try world.apply("pidfile: new.pid\n" + Self.server(taken.port)) == .refused)
        #expect(!FileManager.default.fileExists(atPath: world.folder.path(of: "new.pid")))
    }

    @Test func aChangeInPlaceReachesTheTunnelThatWaitsForItsSuccessor() throws {
        let origins = try ["old", "new"].map { name in
            try ScriptedOrigin { connection in
                while try connection.readRequest() != nil { try connection.respond(text: name) }
            }
        }
        let port = try freePort()
        let file = { (origin: Int, password: String) in
            Self.server(port, ", passwords: [{ token: \(Self.token), password: right }]")
                + "tunnels:\n  - { name: web, tunnel: \"ws://127.0.0.1:\(port)\", token: \(Self.token), "
                + "password: \(password), server: \"\(origins[origin].url)\", connections: 1 }\n"
        }
        let world = try ReloadedAgent(file(0, "right"))
        try world.agent.waitForSession(ofTunnel: "web")
        // The successor is never let in; the old one goes on.
        #expect(try world.apply(file(0, "wrong")) == .applied)
        #expect(try world.apply(file(1, "wrong")) == .applied)
        let answer = try HTTPConnection(port: port).exchange("GET", "/", fields: [("X-Token", Self.token)])
        #expect(answer.text == "new")
    }

    @Test func aForeignSocketIsNotTakenForAStaleOne() throws {
        let folder = try TemporaryFolder()
        let path = folder.path(of: "foreign.sock")
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        #expect(isBound && listen(listener, 1) == 0)
        let world = try ReloadedAgent(Self.server(try freePort()))
        #expect(try world.apply("control-socket: \(path)\n" + Self.server(try freePort())) == .refused)
        #expect(FileManager.default.fileExists(atPath: path))
        #expect(try world.status().lastReload?.errors.contains { $0.contains("another program") } == true)
    }
}
