import Foundation
import TestSupport
import Testing

/// Names whose server does not answer. The agent has an `/etc/resolv.conf` of its own: that takes root, on Linux.
@Suite(.timeLimit(.minutes(1))) struct SilentNameServerTests {
    static let canMount: Bool = {
        let test = try? ChildProcess(["unshare", "-m", "mount", "--bind", "/etc/hosts", "/etc/hosts"])
        return (try? test?.waitForExit()) == .code(0)
    }()

    /// Takes questions and never answers them.
    private final class SilentNameServer {
        let address = "127.83.\(Int.random(in: 0...255)).\(Int.random(in: 1...254))"
        private let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)

        init() throws {
            var place = sockaddr_in()
            place.sin_family = sa_family_t(AF_INET)
            place.sin_port = UInt16(53).bigEndian
            place.sin_addr.s_addr = inet_addr(address)
            let result = withUnsafePointer(to: &place) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard result == 0 else { throw TestFailure("bind: errno \(errno)") }
        }

        deinit { close(descriptor) }
    }

    /// A program that starts the agent with other files in `/etc`.
    private static func program(in folder: TemporaryFolder, nameServer: String) throws -> String {
        try folder.write("nameserver \(nameServer)\n", to: "resolv.conf", mode: 0o644)
        try folder.write("127.0.0.1 known.test\n", to: "hosts", mode: 0o644)
        let script = """
            #!/bin/sh
            exec unshare -m sh -c '
              mount --bind \(folder.path)/resolv.conf /etc/resolv.conf
              mount --bind \(folder.path)/hosts /etc/hosts
              exec \(try wstunnelPath()) "$@"' sh "$@"

            """
        return try folder.write(script, to: "program", mode: 0o700)
    }

    @Test(.enabled(if: canMount)) func aSilentZoneHoldsUpNoOtherOrigin() throws {
        let nameServer = try SilentNameServer()
        let folder = try TemporaryFolder()
        let origin = try ScriptedOrigin { connection in
            while try connection.readRequest() != nil { try connection.respond(text: "known") }
        }
        let agent = try AgentProcess(
            configuration: """
                servers:
                  - name: public
                    host: 127.0.0.1
                    port: 0
                """)
        let port = try agent.port(ofServer: "public")
        let client = try AgentProcess(
            configuration: """
                tunnels:
                  - name: web
                    tunnel: ws://known.test:\(port)
                    token: \(TunnelPair.token)
                    regexp: 'http://.*'
                """,
            environment: ["WSTUNNEL_BINARY": try Self.program(in: folder, nameServer: nameServer.address)])
        try client.waitForSession(ofTunnel: "web", at: agent)
        let silent = try (0..<40).map { number in
            let caller = try HTTPConnection(port: port)
            let host = "http://\(number).silent.test"
            try caller.send("GET", "/", fields: [("X-Token", TunnelPair.token), ("X-Host", host)])
            return caller
        }
        let start = ContinuousClock.now
        for _ in 0..<10 {
            let host = "http://known.test:\(origin.port)"
            let answer = try HTTPConnection(port: port).exchange(
                "GET", "/", fields: [("X-Token", TunnelPair.token), ("X-Host", host)])
            #expect(answer.text == "known")
        }
        // They are told before any of the silent names is given up.
        #expect(ContinuousClock.now - start < .seconds(8))
        for caller in silent { caller.close() }
    }

    /// A tunnel that has lost its server looks its name up anew, beside those that are never answered.
    @Test(.enabled(if: canMount)) func aSilentZoneKeepsNoTunnelByNameAway() throws {
        let nameServer = try SilentNameServer()
        let folder = try TemporaryFolder()
        let port = try freePort()
        let server = """
            servers:
              - { name: public, host: 127.0.0.1, port: \(port) }
            """
        let silent = (0..<40).map { number in
            Configuration.entry(
                name: "silent-\(number)", tunnel: "ws://\(number).silent.test:\(port)", to: "builtin:echo",
                token: "silent-zone-token-\(number)", options: ["connections: 1"])
        }
        let client = try AgentProcess(
            configuration: "tunnels:\n" + silent.joined()
                + Configuration.entry(
                    name: "web", tunnel: "ws://known.test:\(port)", to: "builtin:echo",
                    token: TunnelPair.token,
                    options: ["connections: 1", "reconnect-delay: 1s"]),
            environment: ["WSTUNNEL_BINARY": try Self.program(in: folder, nameServer: nameServer.address)])
        for _ in 0..<2 {
            let agent = try AgentProcess(configuration: server)
            let start = ContinuousClock.now
            try client.waitForSession(ofTunnel: "web", at: agent)
            // A name that is given up takes ten seconds.
            #expect(ContinuousClock.now - start < .seconds(8))
            agent.process.send(signal: SIGKILL)
            _ = try agent.process.waitForExit()
        }
    }
}
